//! Meta's error codes as values of a label: those that the error table knows, and `other`.

/// Known codes, in order.
const CODES: [(i64, &str); 43] = [
    (0, "0"),
    (1, "1"),
    (2, "2"),
    (3, "3"),
    (4, "4"),
    (10, "10"),
    (100, "100"),
    (190, "190"),
    (200, "200"),
    (368, "368"),
    (613, "613"),
    (80007, "80007"),
    (130429, "130429"),
    (130472, "130472"),
    (131000, "131000"),
    (131005, "131005"),
    (131008, "131008"),
    (131009, "131009"),
    (131016, "131016"),
    (131021, "131021"),
    (131026, "131026"),
    (131031, "131031"),
    (131042, "131042"),
    (131045, "131045"),
    (131047, "131047"),
    (131048, "131048"),
    (131049, "131049"),
    (131050, "131050"),
    (131051, "131051"),
    (131052, "131052"),
    (131053, "131053"),
    (131056, "131056"),
    (131057, "131057"),
    (131062, "131062"),
    (132000, "132000"),
    (132001, "132001"),
    (132005, "132005"),
    (132007, "132007"),
    (132008, "132008"),
    (132012, "132012"),
    (132015, "132015"),
    (132016, "132016"),
    (133010, "133010"),
];

/// The label of a code. Without one: the answer had none, or there was no answer.
pub(super) fn label(code: Option<i64>) -> &'static str {
    let Some(code) = code else { return "none" };
    CODES.binary_search_by_key(&code, |(known, _)| *known).map_or("other", |place| CODES[place].1)
}

/// All of its values.
pub(super) fn labels() -> impl Iterator<Item = &'static str> {
    CODES.iter().map(|(_, label)| *label).chain(["none", "other"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_found() {
        assert!(CODES.is_sorted_by(|one, next| one.0 < next.0));
        assert!(CODES.iter().all(|(code, label)| code.to_string() == *label && super::label(Some(*code)) == *label));
        assert_eq!((label(None), label(Some(999_999))), ("none", "other"));
    }
}
