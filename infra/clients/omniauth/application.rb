# An application on Sinatra, which signs in by the library of GitLab.

require 'sinatra/base'
require 'omniauth'
require 'omniauth_openid_connect'

HOME = "http://127.0.0.1:#{ENV.fetch('PORT')}"

class Application < Sinatra::Base
  set :server, 'webrick'
  set :bind, '127.0.0.1'
  set :port, ENV.fetch('PORT')
  set :environment, :production
  use Rack::Session::Pool
  OmniAuth.config.allowed_request_methods = [:get]
  OmniAuth.config.silence_get_warning = true
  use OmniAuth::Builder do
    provider :openid_connect,
             name: 'openid_connect',
             scope: %w[openid profile email],
             response_type: 'code',
             issuer: ENV.fetch('ISSUER'),
             discovery: true,
             client_auth_method: 'query',
             uid_field: 'sub',
             path_prefix: '/users/auth',
             client_options: {
               identifier: ENV.fetch('CLIENT_ID'),
               secret: ENV.fetch('CLIENT_SECRET'),
               redirect_uri: "#{HOME}/users/auth/openid_connect/callback"
             }
  end

  get '/' do
    redirect '/users/auth/openid_connect' unless session[:person]
    content_type :json
    session[:person].to_json
  end

  get '/users/auth/openid_connect/callback' do
    person = request.env['omniauth.auth']
    session[:person] = { email: person.info.email, access_token: person.credentials.token }
    session[:id_token] = person.credentials.id_token
    redirect '/'
  end

  get '/signout' do
    provider = OpenIDConnect::Discovery::Provider::Config.discover!(ENV.fetch('ISSUER'))
    query = { id_token_hint: session[:id_token], post_logout_redirect_uri: "#{HOME}/bye" }
    session.clear
    redirect "#{provider.end_session_endpoint}?#{URI.encode_www_form(query)}"
  end

  get('/bye') { 'bye' }
end

Application.run!
