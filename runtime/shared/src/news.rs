//! What nodes tell each other on their common channel: `<node> <verb>[ <what>]`.

use uuid::Uuid;

use crate::forget::Forget;
use crate::wake::Stage;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// The node is new, or was forgotten: others told it nothing.
    Hello,
    /// There may be work.
    Wake(Vec<Stage>),
    /// Something has changed.
    Forget(Forget),
    /// Somebody watches this tenant.
    Watch(Uuid),
}

impl News {
    pub fn write(&self, node: Uuid) -> String {
        let node = node.simple();
        match self {
            Self::Hello => format!("{node} hello"),
            Self::Wake(stages) => {
                let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
                format!("{node} wake {}", names.join(","))
            }
            Self::Forget(forget) => format!("{node} forget {}", forget.write()),
            Self::Watch(tenant) => format!("{node} watch {}", tenant.simple()),
        }
    }

    /// Who says what; `None` for what this version does not understand, which may come from a newer one.
    pub fn read(text: &str) -> Option<(Uuid, Self)> {
        let (node, rest) = text.split_once(' ')?;
        let (verb, what) = rest.split_once(' ').unwrap_or((rest, ""));
        let news = match verb {
            "hello" => Self::Hello,
            "wake" => Self::Wake(what.split(',').filter_map(Stage::named).collect()),
            "forget" => Self::Forget(Forget::read(what)?),
            "watch" => Self::Watch(what.parse().ok()?),
            _ => return None,
        };
        Some((node.parse().ok()?, news))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forget::Cache;

    #[test]
    fn what_is_written_is_read() {
        let node = Uuid::from_u128(7);
        for news in [
            News::Hello,
            News::Wake(Stage::ALL.into()),
            News::Forget(Forget::Everything),
            News::Forget(Forget::One(Cache::Routes, "1 2".to_owned())),
            News::Watch(Uuid::from_u128(9)),
        ] {
            assert_eq!(News::read(&news.write(node)), Some((node, news)));
        }
    }

    #[test]
    fn what_newer_nodes_say_is_left() {
        let node = Uuid::from_u128(7).simple();
        assert_eq!(News::read(&format!("{node} sing loudly")), None);
        let partly = format!("{node} wake dreams,flow");
        assert_eq!(News::read(&partly).map(|(_, news)| news), Some(News::Wake(vec![Stage::Flow])));
        for nonsense in ["", "hello", "x hello", "\u{0}"] {
            assert_eq!(News::read(nonsense), None, "{nonsense:?}");
        }
    }
}
