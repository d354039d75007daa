//! Which template of the account a spec means. Pure. A name that is not that of exactly one is not guessed at: a customer
//! would get a text that nobody chose.

use std::collections::BTreeSet;

use crate::{
    api::{
        engage_destination::{Named, TemplateRef},
        reasons::condition as reasons,
        references::ContentName,
    },
    controller::{account::Template, engage_destination::verify::Finding},
};

/// Most templates that a message lists.
const MAX_LISTED: usize = 10;
/// Approval that allows to send.
pub const APPROVED: &str = "approved";
/// Approvals that are yet to be decided.
pub const UNDER_WAY: [&str; 2] = ["received", "pending"];

/// The template that `template` names among those that the account showed for it.
pub fn choose<'a>(template: TemplateRef<'_>, shown: &'a [Template]) -> Result<&'a Template, Finding> {
    let TemplateRef { field, named } = template;
    match named {
        Named::Sid(sid) => shown.first().ok_or_else(|| Finding {
            reason: reasons::CONTENT_NOT_FOUND,
            message: format!("{field}: the account has no content template {sid}: correct the SID, or the credentials"),
            may_pass: false,
        }),
        Named::Name(name) => by_name(field, name, shown),
    }
}

fn by_name<'a>(field: &str, wanted: &ContentName, shown: &'a [Template]) -> Result<&'a Template, Finding> {
    let ContentName { friendly_name, language } = wanted;
    let mut named: Vec<&Template> = shown.iter().filter(|it| it.name.as_ref() == Some(friendly_name)).collect();
    // In an order of its own, so that the message stays as it is while the account does.
    named.sort_by_key(|it| it.sid.as_str());
    if named.is_empty() {
        let known = quoted(shown.iter().filter_map(|it| it.name.as_deref()));
        let known = if known.is_empty() { "it has none at all".to_owned() } else { format!("it has {known}") };
        return Err(not_found(format!("{field}: the account has no content template `{friendly_name}`; {known}")));
    }
    let candidates: Vec<&Template> = match language {
        Some(language) => named.iter().copied().filter(|it| it.language.as_ref() == Some(language)).collect(),
        None => named.clone(),
    };
    let languages: BTreeSet<&str> = candidates.iter().map(|it| language_of(it)).collect();
    let approved: Vec<&Template> = candidates.iter().copied().filter(|it| is(it, &[APPROVED])).collect();
    match (candidates.as_slice(), approved.as_slice()) {
        ([one], _) => Ok(one),
        ([], _) => {
            let language = language.as_deref().unwrap_or_default();
            let known = quoted(named.iter().map(|it| language_of(it)));
            let message = format!(
                "{field}: the account has no content template `{friendly_name}` in `{language}`, but in {known}"
            );
            Err(not_found(message))
        }
        // Of one text in two versions the one that may be sent is meant; which language is meant is not for approvals to say.
        (_, [one]) if languages.len() == 1 => Ok(one),
        _ => {
            let advice = if languages.len() > 1 {
                "say which by language"
            } else {
                "delete or rename all but one, or name it by contentSid"
            };
            let one_may_become_approved =
                languages.len() == 1 && approved.is_empty() && candidates.iter().any(|it| is(it, &UNDER_WAY));
            Err(Finding {
                reason: reasons::CONTENT_AMBIGUOUS,
                message: format!(
                    "{field}: the account has {} content templates `{friendly_name}` ({}): {advice}",
                    candidates.len(),
                    candidates.iter().take(MAX_LISTED).map(|it| described(it)).collect::<Vec<_>>().join("; ")
                ),
                may_pass: one_may_become_approved,
            })
        }
    }
}

fn not_found(message: String) -> Finding {
    Finding { reason: reasons::CONTENT_NOT_FOUND, message, may_pass: false }
}

fn is(template: &Template, approvals: &[&str]) -> bool {
    template.approval.as_deref().is_some_and(|approval| approvals.contains(&approval))
}

fn language_of(template: &Template) -> &str {
    template.language.as_deref().unwrap_or("no language")
}

fn described(template: &Template) -> String {
    let approval = template.approval.as_deref().unwrap_or("unsubmitted");
    format!("{} in {}, {approval}", template.sid, language_of(template))
}

/// Each once, in the order of the alphabet.
fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    let more = if names.len() > MAX_LISTED { " and others" } else { "" };
    names.iter().take(MAX_LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(number: u32, name: &str, language: &str, approval: Option<&str>) -> Template {
        Template {
            sid: format!("HX{number:032}").parse().unwrap(),
            name: Some(name.into()),
            language: Some(language.into()),
            placeholders: BTreeSet::new(),
            approval: approval.map(str::to_owned),
            bodies: Vec::new(),
            rejection_reason: None,
        }
    }

    /// The number of the template that is chosen, or the reason why none is.
    fn chosen(language: Option<&str>, shown: &[Template]) -> Result<u32, Finding> {
        let name = ContentName { friendly_name: "welcome".into(), language: language.map(str::to_owned) };
        let template = TemplateRef { field: "spec.whatsapp.content", named: Named::Name(&name) };
        choose(template, shown).map(|template| template.sid.as_str()[2..].parse().unwrap())
    }

    fn reason(language: Option<&str>, shown: &[Template]) -> &'static str {
        chosen(language, shown).unwrap_err().reason
    }

    #[test]
    fn a_name_that_the_account_has_once_is_enough() {
        let shown = [template(1, "goodbye", "en", Some("approved")), template(2, "welcome", "pt_BR", None)];
        assert_eq!(chosen(None, &shown), Ok(2));
        assert_eq!(chosen(Some("pt_BR"), &shown), Ok(2));
        assert_eq!(
            chosen(Some("en"), &shown).unwrap_err().message,
            "spec.whatsapp.content: the account has no content template `welcome` in `en`, but in `pt_BR`"
        );
        assert_eq!(reason(None, &shown[..1]), "ContentNotFound");
        let message = chosen(None, &shown[..1]).unwrap_err().message;
        assert_eq!(message, "spec.whatsapp.content: the account has no content template `welcome`; it has `goodbye`");
    }

    #[test]
    fn a_name_in_several_languages_wants_one_and_no_approval_stands_in_for_it() {
        let shown = [template(1, "welcome", "en", Some("approved")), template(2, "welcome", "pt_BR", Some("pending"))];
        let ambiguous = chosen(None, &shown).unwrap_err();
        assert_eq!((ambiguous.reason, ambiguous.may_pass), ("ContentAmbiguous", false));
        assert_eq!(
            ambiguous.message,
            "spec.whatsapp.content: the account has 2 content templates `welcome` \
             (HX00000000000000000000000000000001 in en, approved; HX00000000000000000000000000000002 in pt_BR, pending): \
             say which by language"
        );
        assert_eq!(chosen(Some("en"), &shown), Ok(1));
        assert_eq!(chosen(Some("pt_BR"), &shown), Ok(2));
    }

    #[test]
    fn of_several_in_one_language_the_only_approved_one_is_taken() {
        let old = || template(1, "welcome", "en", Some("paused"));
        let new = |approval| template(2, "welcome", "en", Some(approval));
        assert_eq!(chosen(None, &[old(), new("approved")]), Ok(2));
        assert_eq!(chosen(Some("en"), &[new("approved"), old()]), Ok(2));
        // Without an approved one it is waited for one; with two only a person can choose.
        let waiting = chosen(None, &[old(), new("pending")]).unwrap_err();
        assert_eq!((waiting.reason, waiting.may_pass), ("ContentAmbiguous", true));
        let two = [new("approved"), template(3, "welcome", "en", Some("approved"))];
        let stuck = chosen(Some("en"), &two).unwrap_err();
        assert_eq!((stuck.reason, stuck.may_pass), ("ContentAmbiguous", false));
        assert!(stuck.message.ends_with("delete or rename all but one, or name it by contentSid"), "{}", stuck.message);
    }

    #[test]
    fn many_names_are_listed_once_each_and_not_all() {
        let shown: Vec<Template> = (0..30).map(|n| template(n, &format!("t{:02}", n / 2), "en", None)).collect();
        let message = chosen(None, &shown).unwrap_err().message;
        assert!(message.contains("it has `t00`, `t01`, ") && message.ends_with("`t09` and others"), "{message}");
        assert!(chosen(None, &[]).unwrap_err().message.ends_with("it has none at all"));
    }
}
