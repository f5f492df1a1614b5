"""An application on Flask-AppBuilder, which signs in as Superset and Airflow do.

It takes the console's configuration of Superset, whose security manager adds nothing to signing in.
"""

import os
import sys
from types import ModuleType
from urllib.parse import urlencode

from flask import Flask, redirect, session
from flask_appbuilder import AppBuilder, IndexView, expose
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_login import current_user
from flask_sqlalchemy import SQLAlchemy

environment = os.environ
home = f"http://127.0.0.1:{environment['PORT']}"

superset = ModuleType("superset.security")
superset.SupersetSecurityManager = SecurityManager
sys.modules["superset.security"] = superset
configuration = {}
with open(environment["CONFIGURATION"]) as file:
    exec(file.read(), configuration)


class KeepingSecurityManager(configuration["CUSTOM_SECURITY_MANAGER"]):
    """Keeps the tokens, to refresh and to sign out with."""

    def oauth_user_info(self, provider, response=None):
        session["tokens"] = {name: response[name] for name in ("access_token", "refresh_token", "id_token")}
        return super().oauth_user_info(provider, response)


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
    LOGOUT_REDIRECT_URL="/end-session",
    **{name: value for name, value in configuration.items() if name.isupper()},
)
database = SQLAlchemy(app)
with app.app_context():
    builder = AppBuilder(app, database.session, indexview=Application, security_manager_class=KeepingSecurityManager)
    builder.sm.add_role(app.config["AUTH_USER_REGISTRATION_ROLE"])
app.run("127.0.0.1", int(environment["PORT"]))
