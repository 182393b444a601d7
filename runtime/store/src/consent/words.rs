//! The words by which people opt out and come back.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use super::Wish;

/// A text that is longer is no such word.
const LONGEST: usize = 40;

/// STOP and its translations, as [`normalise`] leaves them.
const STOP: &[&str] = &[
    "stop",
    "stop all",
    "stop promotions",
    "stop marketing",
    "unsubscribe",
    "opt out",
    "optout",
    "opt-out",
    // German, Dutch, Nordic languages
    "stopp",
    "abmelden",
    "abbestellen",
    "keine werbung",
    "afmelden",
    "uitschrijven",
    "stoppen",
    "avsluta",
    "avregistrera",
    "avslutt",
    "afmeld",
    "lopeta",
    "peruuta tilaus",
    // French, Spanish, Portuguese, Italian, Romanian
    "arrêt",
    "arret",
    "arrêter",
    "désabonner",
    "se désabonner",
    "désinscription",
    "baja",
    "darse de baja",
    "no más mensajes",
    "cancelar suscripción",
    "parar",
    "sair da lista",
    "descadastrar",
    "cancelar inscrição",
    "cancelar subscrição",
    "ferma",
    "disiscrivi",
    "disiscrivimi",
    "cancella iscrizione",
    "dezabonare",
    // Slavic languages, Hungarian, Greek, Turkish
    "стоп",
    "отписаться",
    "отписка",
    "відписатися",
    "відписка",
    "wypisz",
    "rezygnuję",
    "odhlásit",
    "odhlásiť",
    "odjava",
    "leiratkozás",
    "leiratkozom",
    "στοπ",
    "διακοπή",
    "διαγραφή",
    "durdur",
    "abonelikten çık",
    // Its capital letters are those of another word.
    "abonelikten çik",
    // Arabic, Hebrew, Persian
    "توقف",
    "إيقاف",
    "ايقاف",
    "قف",
    "إلغاء الاشتراك",
    "الغاء الاشتراك",
    "הסר",
    "עצור",
    "لغو اشتراک",
    // South and East Asia
    "रोकें",
    "बंद करें",
    "বন্ধ করুন",
    "நிறுத்து",
    "بند کریں",
    "berhenti",
    "berhenti langganan",
    "หยุด",
    "ยกเลิกการสมัคร",
    "dừng",
    "hủy đăng ký",
    "停止",
    "退订",
    "退訂",
    "取消订阅",
    "取消訂閱",
    "配信停止",
    "ストップ",
    "중지",
    "수신거부",
    "그만",
];

/// START and its translations.
const START: &[&str] = &[
    "start",
    "unstop",
    "subscribe",
    "resubscribe",
    "opt in",
    "optin",
    "opt-in",
    "starten",
    "anmelden",
    "aanmelden",
    "starta",
    "prenumerera",
    "aloita",
    "tilmeld",
    "démarrer",
    "réabonner",
    "s'abonner",
    "alta",
    "darse de alta",
    "suscribirse",
    "iniciar",
    "começar",
    "inscrever",
    "inizia",
    "iscrivimi",
    "abonare",
    "старт",
    "подписаться",
    "підписатися",
    "zapisz",
    "přihlásit",
    "prijava",
    "feliratkozás",
    "έναρξη",
    "εγγραφή",
    "başla",
    "abone ol",
    "ابدأ",
    "اشتراك",
    "התחל",
    "שלח שוב",
    "شروع",
    "शुरू करें",
    "শুরু করুন",
    "தொடங்கு",
    "mulai",
    "langganan",
    "เริ่ม",
    "bắt đầu",
    "đăng ký",
    "开始",
    "開始",
    "订阅",
    "訂閱",
    "配信再開",
    "スタート",
    "시작",
    "수신동의",
];

static USUAL: LazyLock<Arc<Words>> = LazyLock::new(|| {
    let words = |list: &[&str]| list.iter().map(|word| normalise(word)).collect();
    Arc::new(Words { stop: words(STOP), start: words(START) })
});

/// A tenant's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    stop: HashSet<String>,
    start: HashSet<String>,
}

impl Words {
    /// The tenant's own lists; those of the release stand in for a list that is absent.
    pub fn of(stop: Option<Vec<String>>, start: Option<Vec<String>>) -> Arc<Words> {
        if stop.is_none() && start.is_none() {
            return USUAL.clone();
        }
        let own = |list: Option<Vec<String>>, usual: &HashSet<String>| {
            list.map_or_else(|| usual.clone(), |list| list.iter().map(|word| normalise(word)).collect())
        };
        Arc::new(Words { stop: own(stop, &USUAL.stop), start: own(start, &USUAL.start) })
    }

    /// What a text means that is one of the words and nothing else.
    pub fn meaning(&self, text: &str) -> Option<Wish> {
        if text.chars().nth(LONGEST).is_some() {
            return None;
        }
        let text = normalise(text);
        if self.stop.contains(&text) { Some(Wish::OptOut) } else { self.start.contains(&text).then_some(Wish::OptIn) }
    }
}

/// In lower case, with single spaces, without punctuation and quotes around it.
pub fn normalise(text: &str) -> String {
    let is_around = |c: char| c.is_whitespace() || c.is_ascii_punctuation() || "。！？…«»„“”’¡¿".contains(c);
    let text = text.trim_matches(is_around);
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_when_it_stands_alone() {
        let words = Words::of(None, None);
        for (text, meaning) in [
            ("STOP", Some(Wish::OptOut)),
            (" Stop. ", Some(Wish::OptOut)),
            ("\"stop\"", Some(Wish::OptOut)),
            ("Stop  promotions", Some(Wish::OptOut)),
            ("ARRÊT", Some(Wish::OptOut)),
            ("Отписаться!", Some(Wish::OptOut)),
            ("退订。", Some(Wish::OptOut)),
            ("रोकें", Some(Wish::OptOut)),
            ("หยุด", Some(Wish::OptOut)),
            ("توقف", Some(Wish::OptOut)),
            ("Start", Some(Wish::OptIn)),
            ("スタート", Some(Wish::OptIn)),
            ("please stop", None),
            ("non-stop", None),
            ("don't stop", None),
            ("stop by tomorrow", None),
            ("", None),
            ("...", None),
        ] {
            assert_eq!(words.meaning(text), meaning, "{text}");
        }
        assert_eq!(words.meaning(&"stop ".repeat(30)), None);
    }

    #[test]
    fn a_tenant_has_words_of_its_own() {
        let words = Words::of(Some(vec!["Genug!".to_owned()]), None);
        assert_eq!(words.meaning("genug"), Some(Wish::OptOut));
        assert_eq!(words.meaning("stop"), None, "its list takes the place of the other");
        assert_eq!(words.meaning("start"), Some(Wish::OptIn), "the other list stays");
        let none = Words::of(Some(Vec::new()), Some(Vec::new()));
        assert_eq!((none.meaning("stop"), none.meaning("start"), none.meaning("")), (None, None, None));
    }

    #[test]
    fn every_word_is_found_and_none_means_both() {
        let words = Words::of(None, None);
        assert!(STOP.len() > 80 && START.len() > 50);
        for (list, meaning) in [(STOP, Wish::OptOut), (START, Wish::OptIn)] {
            for word in list {
                assert_eq!(words.meaning(word), Some(meaning), "{word}");
                assert_eq!(words.meaning(&word.to_uppercase()), Some(meaning), "{word} in capitals");
            }
        }
    }
}
