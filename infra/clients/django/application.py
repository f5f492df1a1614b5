"""An application on Django, which signs in by mozilla-django-oidc, with the configuration of the console."""

import os
from wsgiref.simple_server import make_server

import django
import requests
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import include, path
from django.utils.http import urlencode

environment = os.environ
home = f"http://127.0.0.1:{environment['PORT']}"
provider = requests.get(environment["ISSUER"] + "/.well-known/openid-configuration", timeout=10).json()
configuration = {"INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes"]}
with open(environment["CONFIGURATION"]) as file:
    exec(file.read(), configuration)


@login_required
def application(request):
    return JsonResponse({"email": request.user.email, "access_token": request.session["oidc_access_token"]})


def end_session(request):
    query = {"id_token_hint": request.session["oidc_id_token"], "post_logout_redirect_uri": home + "/bye"}
    return provider["end_session_endpoint"] + "?" + urlencode(query)


settings.configure(
    SECRET_KEY="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "users.db"}},
    SESSION_ENGINE="django.contrib.sessions.backends.file",
    SESSION_FILE_PATH=".",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "mozilla_django_oidc.middleware.SessionRefresh",
    ],
    LOGOUT_REDIRECT_URL="/bye",
    OIDC_OP_LOGOUT_URL_METHOD=f"{__name__}.end_session",
    OIDC_STORE_ACCESS_TOKEN=True,
    OIDC_STORE_ID_TOKEN=True,
    OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS=2,
    ALLOW_LOGOUT_GET_METHOD=True,
    **{name: value for name, value in configuration.items() if name.isupper()},
)
urlpatterns = [
    path("", application),
    path("bye", lambda _: HttpResponse("bye")),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
django.setup()
call_command("migrate", verbosity=0)
make_server("127.0.0.1", int(environment["PORT"]), get_wsgi_application()).serve_forever()
