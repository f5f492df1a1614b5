package application;

import static org.springframework.security.config.Customizer.withDefaults;

import java.time.Duration;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.OAuth2AuthorizeRequest;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClientProviderBuilder;
import org.springframework.security.oauth2.client.authentication.OAuth2AuthenticationToken;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizedClientRepository;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.servlet.util.matcher.PathPatternRequestMatcher;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** An application on Spring Boot, which signs in by Spring Security's OAuth 2.0 client. */
@SpringBootApplication
@RestController
public class Application {
  private OAuth2AuthorizedClientManager manager;

  public static void main(String[] arguments) {
    SpringApplication.run(Application.class, arguments);
  }

  @Bean
  SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository registrations, OAuth2AuthorizedClientRepository clients) throws Exception {
    // A token of 15 minutes is as good as expired: each request refreshes it.
    var authorized = new DefaultOAuth2AuthorizedClientManager(registrations, clients);
    authorized.setAuthorizedClientProvider(OAuth2AuthorizedClientProviderBuilder.builder()
        .authorizationCode().refreshToken(refresh -> refresh.clockSkew(Duration.ofHours(1))).build());
    manager = authorized;
    var signOut = new OidcClientInitiatedLogoutSuccessHandler(registrations);
    signOut.setPostLogoutRedirectUri("{baseUrl}/bye");
    return http
        .authorizeHttpRequests(requests -> requests.requestMatchers("/bye", "/robots.txt", "/error").permitAll().anyRequest().authenticated())
        .oauth2Login(withDefaults())
        .oidcLogout(logout -> logout.backChannel(withDefaults()))
        .logout(logout -> logout.logoutRequestMatcher(PathPatternRequestMatcher.withDefaults().matcher("/signout")).logoutSuccessHandler(signOut))
        .build();
  }

  @GetMapping("/")
  Map<String, Object> home(OAuth2AuthenticationToken token, @AuthenticationPrincipal OidcUser user) {
    var client = manager.authorize(OAuth2AuthorizeRequest.withClientRegistrationId("wecom").principal(token).build());
    return Map.of("email", user.getEmail(), "access_token", client.getAccessToken().getTokenValue());
  }

  @GetMapping("/bye")
  String bye() {
    return "bye";
  }
}
