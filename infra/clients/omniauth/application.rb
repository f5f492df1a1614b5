# An application on Sinatra, which signs in by the library of GitLab, with the configuration
# that the console has for GitLab.

require 'sinatra/base'
require 'omniauth'
require 'omniauth_openid_connect'

gitlab_rails = {}
eval(File.read(ENV.fetch('CONFIGURATION')), binding)
PROVIDERS = gitlab_rails['omniauth_providers']
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
    PROVIDERS.each { |one| provider one[:name], **one[:args], path_prefix: '/users/auth' }
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
