"""Django's handle on sign-on by SAML. django-allauth finds ``provider`` and ``urls`` beside it."""

from django.apps import AppConfig


class SamlConfig(AppConfig):
    name = "agencies.saml"
    label = "agencies_saml"
