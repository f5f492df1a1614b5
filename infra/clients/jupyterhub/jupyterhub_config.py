"""JupyterHub, which signs in by the configuration of the console. Nobody starts a notebook."""

import os
from urllib.parse import urlencode

from jupyterhub.handlers import BaseHandler
from jupyterhub.proxy import Proxy
from oauthenticator.generic import GenericOAuthenticator
from tornado import web

environment = os.environ
home = f"http://127.0.0.1:{environment['PORT']}"
issuer = environment["ISSUER"]
client = environment["CLIENT_ID"]


class Application(BaseHandler):
    @web.authenticated
    async def get(self):
        state = await self.current_user.get_auth_state()
        self.write({"email": state["oauth_user"]["email"], "access_token": state["access_token"]})


class Refresh(BaseHandler):
    """Has the hub refresh, as it does when the service refuses the access token."""

    @web.authenticated
    async def get(self):
        state = await self.current_user.get_auth_state()
        state["token_response"]["access_token"] = "refused"
        await self.current_user.save_auth_state(state)
        await self.refresh_auth(self.current_user, force=True)
        self.redirect("/hub/application")


class Bye(web.RequestHandler):
    def get(self):
        self.write("bye")


class WithoutProxy(Proxy):
    """The hub alone answers: there are no notebooks to lead to."""

    routes = {}

    async def start(self):
        pages = [("/hub/application", Application), ("/hub/refresh", Refresh), ("/bye", Bye)]
        self.app.tornado_application.add_handlers(".*", pages)

    async def add_route(self, routespec, target, data):
        self.routes[routespec] = {"routespec": routespec, "target": target, "data": data}

    async def delete_route(self, routespec):
        self.routes.pop(routespec, None)

    async def get_all_routes(self):
        return self.routes


c = get_config()  # noqa: F821
with open(environment["CONFIGURATION"]) as file:
    exec(file.read())
c.JupyterHub.hub_bind_url = home
c.JupyterHub.proxy_class = WithoutProxy
c.JupyterHub.default_url = "/hub/application"
c.GenericOAuthenticator.auto_login = True
c.GenericOAuthenticator.enable_auth_state = True
c.GenericOAuthenticator.logout_redirect_url = (
    issuer + "/oauth2/logout?" + urlencode({"client_id": client, "post_logout_redirect_uri": home + "/bye"})
)
