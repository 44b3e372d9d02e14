package app

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lishi/infra/config"
	"lishi/infra/tokens"
)

// keys are the configured secret's, or those of the one kept with the data.
func keys(c config.Config) (*tokens.Keys, error) {
	secret := []byte(c.TokenKey)
	if len(secret) == 0 {
		var err error
		if secret, err = tokens.File(c.Data); err != nil {
			return nil, err
		}
	}
	return tokens.New(secret)
}

func (p *program) token() *cobra.Command {
	var claims tokens.Claims
	var ttl time.Duration
	c := settings(&cobra.Command{
		Use:   "token --user ID [--name NAME] [--role auditor|analyst|admin] [--ttl 720h]",
		Short: "Make a token for a user, signed with the configured or the data directory's key",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := load(c)
			if err != nil {
				return err
			}
			switch claims.Role {
			case "", "auditor", "analyst", "admin":
			default:
				return usageError{fmt.Errorf("role %q is not auditor, analyst or admin", claims.Role)}
			}
			if claims.UserID == "" || len(claims.UserID) > 64 {
				return usageError{fmt.Errorf("--user needs an id of 1 to 64 bytes")}
			}
			if ttl > 0 {
				claims.Expires = time.Now().Add(ttl)
			}
			k, err := keys(cfg)
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
	})
	c.Flags().StringVar(&claims.UserID, "user", "", "user id (sub)")
	c.Flags().StringVar(&claims.Name, "name", "", "nickname")
	c.Flags().StringVar(&claims.Role, "role", "", "auditor, analyst or admin")
	c.Flags().DurationVar(&ttl, "ttl", 30*24*time.Hour, "how long it is valid; 0: for ever")
	return c
}
