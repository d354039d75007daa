//! The word that was probably meant.

/// The candidate nearest to `word`: the same but for case and separators, or at most two letters away.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| {
        word.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect::<Vec<_>>()
    };
    let word = plain(word);
    // Of two letters any other two are near.
    let allowed = if word.len() > 4 { 2 } else { usize::from(word.len() > 2) };
    candidates
        .map(|candidate| (distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && candidate.len() > 1)
        // The first by name among equals, so that it does not hang on their order.
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be put in, taken out, replaced or swapped with their neighbour.
fn distance(left: &[char], right: &[char]) -> usize {
    if left.len().abs_diff(right.len()) > 2 {
        return usize::MAX;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let mut fewest =
                (last[column] + usize::from(from != to)).min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *from == right[column - 1] && left[row - 1] == *to {
                fewest = fewest.min(before_last[column - 1] + 1);
            }
            current.push(fewest);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_seen_through_and_another_word_is_not() {
        let known = ["timeout", "time_limit", "from", "to", "media_url"];
        let meant = |word: &str| nearest(word, known.into_iter());
        assert_eq!(meant("timeuot"), Some("timeout"));
        assert_eq!(meant("mediaUrl"), Some("media_url"));
        assert_eq!(meant("form"), Some("from"));
        assert_eq!(meant("colour"), None);
    }
}
