"""Addresses of sign-on by SAML, below accounts/: django-allauth includes them where this app is installed."""

from django.urls import path

from agencies.saml import views

urlpatterns = [
    path("saml/<slug:provider_id>/login/", views.sign_in, name="saml_login"),
    path("saml/<slug:provider_id>/acs/", views.answered, name="saml_acs"),
    path("saml/<slug:provider_id>/acs/finish/", views.arrived, name="saml_finish_acs"),
    path("saml/<slug:provider_id>/sls/", views.sign_out, name="saml_sls"),
    path("saml/<slug:provider_id>/metadata/", views.metadata, name="saml_metadata"),
]
