package app

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"lishi/infra/config"
	"lishi/infra/tokens"
)

// keys check every request's token.
func keys(c config.Config, changed func(), logger *slog.Logger) (*tokens.Keys, error) {
	secret, err := secret(c)
	if err != nil {
		return nil, err
	}
	if c.TokenJWKS != "" && c.TokenAudience == "" {
		logger.Warn("token-jwks without token-audience: tokens that the issuer made for other applications are taken too")
	}
	k, err := tokens.New(tokens.Options{
		Secret: secret, JWKS: c.TokenJWKS, Issuer: c.TokenIssuer, Audience: c.TokenAudience, Changed: changed, Logger: logger,
	})
	if err != nil && c.TokenJWKS != "" {
		return nil, &config.Error{Setting: "token-jwks", Origin: "flags, environment or file", Problem: err.Error()}
	}
	return k, err
}

// signer makes tokens. Only the HS256 key does; those of a JWKS belong to an issuer.
func signer(c config.Config) (*tokens.Keys, error) {
	secret, err := secret(c)
	if err != nil {
		return nil, err
	}
	if len(secret) == 0 {
		return nil, &config.Error{Setting: "token-key", Origin: "default", Problem: fmt.Sprintf(
			"%v: with token-jwks, tokens come from the issuer of its keys; give token-key too to make some here", tokens.ErrNoSecret)}
	}
	return tokens.New(tokens.Options{Secret: secret, Issuer: c.TokenIssuer, Audience: c.TokenAudience})
}

// secret is the configured one, or the one kept with the data; none if a JWKS
// stands for it, so that an old file there lets nobody in.
func secret(c config.Config) ([]byte, error) {
	if c.TokenKey != "" || c.TokenJWKS != "" {
		return []byte(c.TokenKey), nil
	}
	return tokens.File(c.Data)
}

func (p *program) token() *cobra.Command {
	var claims tokens.Claims
	var ttl time.Duration
	c := settings(&cobra.Command{
		Use:   "token --user ID [--name NAME] [--role auditor|analyst|admin|groups|figures] [--ttl 720h]",
		Short: "Make a token for a user, signed with the configured or the data directory's HS256 key",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := load(c)
			if err != nil {
				return err
			}
			switch claims.Role {
			case "", "auditor", "analyst", "admin", "groups", "figures":
			default:
				return usageError{fmt.Errorf("role %q is not auditor, analyst, admin, groups or figures", claims.Role)}
			}
			if (claims.Role == "groups") != (len(claims.Groups) > 0) {
				return usageError{errors.New("--groups names the groups that the role groups may read of, and goes with it alone")}
			}
			if claims.UserID == "" || len(claims.UserID) > 64 {
				return usageError{fmt.Errorf("--user needs an id of 1 to 64 bytes")}
			}
			if ttl > 0 {
				claims.Expires = time.Now().Add(ttl)
			}
			k, err := signer(cfg)
			if err != nil {
				return err
			}
			token, err := k.Sign(claims)
			if err != nil {
				return err
			}
			if p.asJSON {
				return p.json(map[string]any{"token": token, "userId": claims.UserID, "expires": claims.Expires})
			}
			_, err = fmt.Fprintln(p.out, token)
			return err
		},
	}, config.Tokens)
	c.Flags().StringVar(&claims.UserID, "user", "", "user id (sub)")
	c.Flags().StringVar(&claims.Name, "name", "", "nickname")
	c.Flags().StringVar(&claims.Role, "role", "", "auditor, analyst or admin; of the SQL endpoint alone: groups (only those of --groups), figures (nothing that people wrote)")
	c.Flags().StringSliceVar(&claims.Groups, "groups", nil, "ids of groups, joined by commas")
	c.Flags().DurationVar(&ttl, "ttl", 30*24*time.Hour, "how long it is valid; 0: for ever")
	return c
}
