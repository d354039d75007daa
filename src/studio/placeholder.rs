//! Places of a definition that still wait for a value of the account: `${name}` in any text. An unfilled one would be saved
//! by Studio and fail a customer later. Liquid stays out of it: in `${{amount}}` the dollar is a dollar.

/// The placeholders in a text, with their braces.
pub fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("${").filter_map(|(start, _)| {
        let inside = &text[start + 2..];
        let end = inside.find('}')?;
        let name = &inside[..end];
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-.: ".contains(c));
        is_name.then(|| &text[start..=start + 2 + end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_found_and_liquid_is_left_alone() {
        let found = |text| placeholders(text).collect::<Vec<_>>();
        assert_eq!(found("${workflow}"), ["${workflow}"]);
        assert_eq!(found("a ${one} b ${two.three}"), ["${one}", "${two.three}"]);
        assert_eq!(found("costs ${{flow.variables.amount}} or ${}"), Vec::<&str>::new());
    }
}
