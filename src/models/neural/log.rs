//! The log of a neural generator's training: a JSON text a look.

use serde_json::Value;

/// A log in names and values: how many looks there were, and what the best, the first and the last of them found. Lines
/// that are no looks are passed over; nothing comes back if none is one.
pub fn summary<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let looks: Vec<Value> = lines.filter_map(look).collect();
    let distance = |look: &Value| look["distance"].as_f64().unwrap_or(f64::INFINITY);
    let best = looks.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let (Some(best), Some(first), Some(last)) = (best, looks.first(), looks.last()) else { return Vec::new() };
    let mut out = vec![("looks".to_string(), looks.len().to_string())];
    for (name, look) in [("best", best), ("first", first), ("last", last)] {
        out.push((format!("{name} look"), told(look)));
    }
    out
}

/// A line's look.
pub fn look(line: &str) -> Option<Value> {
    let look: Value = serde_json::from_str(line).ok()?;
    look["update"].is_u64().then_some(look)
}

fn told(look: &Value) -> String {
    let numbers = look.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {value}"));
    numbers.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn the_best_look_is_the_nearest() {
        let lines = [
            r#"{"update":1,"distance":0.5}"#,
            r#"{"update":2,"distance":0.2}"#,
            "noise",
            r#"{"update":3,"distance":0.3}"#,
        ];
        let told = summary(lines.into_iter());
        assert_eq!(told[0], ("looks".into(), "3".into()));
        assert_eq!(told[1], ("best look".into(), "update 2, distance 0.2".into()));
        assert_eq!(told[3], ("last look".into(), "update 3, distance 0.3".into()));
        assert!(summary(["[]", ""].into_iter()).is_empty());
    }
}
