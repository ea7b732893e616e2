"""Single sign-on by SAML 2.0: part of the installation only where ``SAML_PROVIDERS`` names a provider.

An answer travels one way: ``views`` (the door) → ``shape`` (is this a document that can be read in one way only?) → ``checks`` (is it for us,
now, and an answer to a question of ours?) → ``protocol`` (did the provider sign it?) → ``agencies.services.assertions`` (for the first
time?) → ``claims`` (what it says, in the words that OpenID Connect uses) → ``agencies.sign_on``, where both ways of signing on meet.
"""
