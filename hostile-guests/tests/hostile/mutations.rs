//! Hundreds of broken copies of a good plugin: each is refused, or runs without harm.

use hoopoe_hostile_guests::guest;

use crate::common::Stage;

/// Pseudo-random numbers, the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }
}

/// The copies: cut, with a bit changed, with a byte replaced, with a piece repeated or taken out.
fn mutations(plugin: &[u8], count: usize) -> Vec<(String, Vec<u8>)> {
    let mut numbers = Numbers(2026);
    let mutate = |number: usize| {
        let mut bytes = plugin.to_vec();
        let at = numbers.below(plugin.len());
        let label = match number % 8 {
            0 => {
                bytes.truncate(at);
                "cut"
            }
            1 => {
                bytes[at] = [0x00, 0x7f, 0x80, 0xff][numbers.below(4)];
                "byte"
            }
            2 => {
                let end = (at + 1 + numbers.below(16)).min(bytes.len());
                bytes.drain(at..end);
                "hole"
            }
            3 => {
                let end = (at + 1 + numbers.below(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
                "echo"
            }
            _ => {
                bytes[at] ^= 1 << numbers.below(8);
                "bit"
            }
        };
        (format!("{number}: {label} at {at}"), bytes)
    };
    (0..count).map(mutate).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_copies() {
    const COUNT: usize = 300;
    let stage = Stage::start().await;
    let attacker = stage.tenant().await;
    let plugin = guest("dirty");
    let mut taken = Vec::new();
    stage
        .meanwhile("mutations", async {
            for (label, bytes) in mutations(&plugin, COUNT) {
                let (status, answer) = stage.put(&attacker, "", bytes).await;
                match status {
                    200 | 201 => taken.push((label, answer["digest"].as_str().unwrap().to_owned())),
                    400 => assert_eq!(answer["code"], "plugin_refused", "{label}: {answer}"),
                    _ => panic!("{label}: {status} {answer}"),
                }
            }
            for (label, digest) in &taken {
                let (status, answer) = stage.simulate(&attacker, digest).await;
                assert_eq!(status, 200, "{label}: {answer}");
            }
        })
        .await;
    println!("{} of {COUNT} were taken", taken.len());
    assert!((1..COUNT).contains(&taken.len()));
    stage.end().await;
}
