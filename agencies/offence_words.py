"""Why an offence is not forecast, in the reader's language: the sentences of ``agencies.engine.offence_policy``."""

from django.utils.translation import gettext_noop

from missions_project.lib.sentences import Sentences

FAMILIES = (
    gettext_noop("drug and narcotic offences"),
    gettext_noop("prostitution offences"),
    gettext_noop("gambling offences"),
    gettext_noop("pornography and obscene material"),
    gettext_noop("weapon-law violations"),
    gettext_noop("bad cheques"),
    gettext_noop("curfew, loitering and vagrancy"),
    gettext_noop("disorderly conduct"),
    gettext_noop("driving under the influence"),
    gettext_noop("drunkenness"),
    gettext_noop("family offences, non-violent"),
    gettext_noop("liquor-law violations"),
    gettext_noop("peeping"),
    gettext_noop("runaways"),
    gettext_noop("trespass"),
    gettext_noop("all other (group B) offences"),
    gettext_noop("group B offences"),
    gettext_noop("simple assault and battery"),
    gettext_noop("intimidation and stalking"),
    gettext_noop("negligent manslaughter"),
    gettext_noop("justifiable homicide"),
    gettext_noop("sex offences"),
    gettext_noop("vandalism and criminal damage"),
    gettext_noop("arson"),
    gettext_noop("kidnapping"),
    gettext_noop("human trafficking"),
    gettext_noop("extortion"),
    gettext_noop("bribery"),
    gettext_noop("forgery and counterfeiting"),
    gettext_noop("fraud"),
    gettext_noop("embezzlement"),
    gettext_noop("stolen-property offences"),
    gettext_noop("offences against family and children"),
    gettext_noop("animal cruelty"),
    gettext_noop("federal and tribal reporting offences"),
)
"""Families of offences that are refused."""
REASONS = (
    gettext_noop("prone to enforcement bias"),
    gettext_noop("not forecast by this product"),
    gettext_noop("the national code decides"),
)
_ALLOWED = (
    gettext_noop("homicide, aggravated assault, robbery, burglary, theft, motor vehicle theft and gunfire"),
    # Classes inside a sentence.
    gettext_noop("homicide"),
    gettext_noop("aggravated assault or battery"),
    gettext_noop("robbery"),
    gettext_noop("gunfire"),
    gettext_noop("burglary"),
    gettext_noop("motor vehicle theft"),
    gettext_noop("theft"),
)
REFUSALS = Sentences(
    (
        *FAMILIES,
        *REASONS,
        *_ALLOWED,
        gettext_noop(
            "%(subject)s: %(family)s are refused because they are %(reason)s (rule %(rule)s). Only %(allowed)s can be "
            "forecast; leave this code unmapped."
        ),
        # Its first sentence alone.
        gettext_noop("%(subject)s: %(family)s are refused because they are %(reason)s (rule %(rule)s)."),
        gettext_noop(
            "%(subject)s is in no national table that we know, and what is not on the list is %(reason)s (rule "
            "unknown_code). Correct the code, or unmap the column if it holds no NIBRS, UCR or FBI codes."
        ),
        gettext_noop(
            "%(subject)s is in no national table that we know, and what is not on the list is %(reason)s (rule "
            "unknown_code)."
        ),
        gettext_noop(
            "%(subject)s names %(named)s, but also %(word)s, a word of %(family)s (%(reason)s). If it is %(again)s, write "
            "why (at least %(least)s characters); the reason is kept in the audit log."
        ),
        gettext_noop(
            "%(subject)s: gunfire is taken from sensor alerts and from calls for service about shots; as an offence it is a "
            "weapon-law violation (520), %(reason)s. Load it as a calls or gunfire feed."
        ),
        gettext_noop(
            "%(subject)s: neither a national code nor the description says what it is, and what is not one of %(allowed)s is "
            "%(reason)s (rule unknown_offence). Map the column with the NIBRS, UCR or FBI code, or map this code to a crime "
            "type."
        ),
        gettext_noop(
            "%(subject)s carries %(national)s (%(label)s) but the crime type is %(declared)s; the national code decides. "
            "Map it to a crime type of %(named)s, or leave it unmapped."
        ),
        gettext_noop("%(subject)s, for the word %(word)s"),
        gettext_noop("Crime type's code %(code)s"),
        gettext_noop("%(scheme)s code %(code)s"),
        gettext_noop("Code %(code)s"),
    )
)


def refusal_said(message: str) -> str:
    """A refusal of the offence policy in the reader's language. No query."""
    return REFUSALS.said(message)
