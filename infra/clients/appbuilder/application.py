"""An application on Flask-AppBuilder, which signs in as Superset and Airflow do."""

import os
from urllib.parse import urlencode

from flask import Flask, redirect, session
from flask_appbuilder import AppBuilder, IndexView, expose
from flask_appbuilder.security.manager import AUTH_OAUTH
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_login import current_user
from flask_sqlalchemy import SQLAlchemy

environment = os.environ
home = f"http://127.0.0.1:{environment['PORT']}"


class WeComSecurityManager(SecurityManager):
    def oauth_user_info(self, provider, response=None):
        session["tokens"] = {name: response[name] for name in ("access_token", "refresh_token", "id_token")}
        person = self.oauth_remotes[provider].userinfo(token=response)
        return {
            "username": person["preferred_username"],
            "first_name": person.get("name", ""),
            "last_name": "",
            "email": person["email"],
            "role_keys": person.get("groups", []),
        }


class Application(IndexView):
    @expose("/")
    def index(self):
        if not current_user.is_authenticated:
            return redirect("/login/wecom")
        return {"email": current_user.email, "access_token": session["tokens"]["access_token"]}

    @expose("/refresh")
    def refresh(self):
        remote = self.appbuilder.sm.oauth_remotes["wecom"]
        token = remote.fetch_access_token(grant_type="refresh_token", refresh_token=session["tokens"]["refresh_token"])
        session["tokens"] |= {"access_token": token["access_token"], "refresh_token": token["refresh_token"]}
        session.modified = True
        return redirect("/")

    @expose("/end-session")
    def end_session(self):
        remote = self.appbuilder.sm.oauth_remotes["wecom"]
        query = {"id_token_hint": session.pop("tokens")["id_token"], "post_logout_redirect_uri": home + "/bye"}
        return redirect(remote.load_server_metadata()["end_session_endpoint"] + "?" + urlencode(query))

    @expose("/bye")
    def bye(self):
        return "bye"


app = Flask(__name__)
app.config.update(
    SECRET_KEY="0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    SQLALCHEMY_DATABASE_URI=f"sqlite:///{os.getcwd()}/users.db",
    AUTH_TYPE=AUTH_OAUTH,
    AUTH_USER_REGISTRATION=True,
    AUTH_USER_REGISTRATION_ROLE="Public",
    AUTH_ROLES_MAPPING={"role:admin": ["Admin"]},
    AUTH_ROLES_SYNC_AT_LOGIN=True,
    LOGOUT_REDIRECT_URL="/end-session",
    OAUTH_PROVIDERS=[
        {
            "name": "wecom",
            "icon": "fa-weixin",
            "token_key": "access_token",
            "remote_app": {
                "client_id": environment["CLIENT_ID"],
                "client_secret": environment["CLIENT_SECRET"],
                "server_metadata_url": environment["ISSUER"] + "/.well-known/openid-configuration",
                "client_kwargs": {"scope": "openid profile email groups", "code_challenge_method": "S256"},
            },
        }
    ],
)
database = SQLAlchemy(app)
with app.app_context():
    AppBuilder(app, database.session, indexview=Application, security_manager_class=WeComSecurityManager)
app.run("127.0.0.1", int(environment["PORT"]))
