package app

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lishi/infra/bench"
	"lishi/infra/config"
	"lishi/infra/tokens"
)

func (p *program) benchPages() *cobra.Command {
	pages := bench.Pages{}
	var peer, group string
	var limit int
	var seconds float64
	c := settings(&cobra.Command{
		Use:   "pages --user ID (--peer ID | --group ID)",
		Short: "Read a conversation's history page by page, from the newest message back",
		Args:  cobra.NoArgs,
	}, config.Address, config.Tokens)
	c.Flags().StringVar(&pages.User, "user", "", "who reads")
	c.Flags().StringVar(&peer, "peer", "", "the other one of a conversation of two")
	c.Flags().StringVar(&group, "group", "", "the group")
	c.Flags().IntVar(&limit, "limit", 50, "messages a page")
	c.Flags().IntVar(&pages.Readers, "readers", 1, "readers at once")
	c.Flags().Float64Var(&seconds, "seconds", 10, "how long")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		if pages.User == "" || (peer == "") == (group == "") || pages.Readers < 1 || seconds <= 0 {
			return usageError{fmt.Errorf("give --user and either --peer or --group; readers and seconds above 0")}
		}
		pages.Addr, pages.Duration = cfg.Listen, time.Duration(seconds*float64(time.Second))
		pages.URL, pages.Params = "/friend/loadMoreMessage", map[string]any{"userId": peer, "limit": limit}
		if group != "" {
			pages.URL, pages.Params = "/group/loadMoreMessage", map[string]any{"groupId": group, "limit": limit}
		}
		if pages.Token, err = tokensOf(cfg); err != nil {
			return err
		}
		r, err := pages.Run(c.Context())
		if err != nil {
			return err
		}
		return p.report(r)
	}
	return c
}

func (p *program) benchChat() *cobra.Command {
	var messages int
	var whole bool
	c := &cobra.Command{
		Use:   "chat FILE… [--messages 1000000] [--whole]",
		Short: "Write as many real-looking messages as wanted, for lishi import",
		Long: `Write real-looking messages as JSON lines to stdout, for lishi import: clauses of
the messages of FILE (JSON lines as import reads them, gzip too), mixed anew. The
user "` + bench.Searcher + `" has a third of them, in 120 conversations.

With --whole the conversations of FILE are told again and again as they are, with
their own rhythm, by other people and in other groups.`,
		Args: cobra.MinimumNArgs(1),
	}
	c.Flags().IntVar(&messages, "messages", 1_000_000, "how many")
	c.Flags().BoolVar(&whole, "whole", false, "tell the conversations as they are")
	c.RunE = func(c *cobra.Command, files []string) error {
		if messages < 1 {
			return usageError{fmt.Errorf("messages must be 1 or more")}
		}
		lines, err := linesOf(whole, files)
		if err != nil {
			return err
		}
		out := bufio.NewWriterSize(p.out, 1<<16)
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		if err := lines(messages, func(l bench.Line) error { return errors.Join(c.Context().Err(), e.Encode(l)) }); err != nil {
			return err
		}
		return out.Flush()
	}
	return c
}

// linesOf gives what makes messages of files.
func linesOf(whole bool, files []string) (func(n int, each func(bench.Line) error) error, error) {
	if !whole {
		chat, err := bench.ReadChat(files...)
		return chat.Lines, err
	}
	lines, err := bench.ReadLines(files...)
	if err != nil {
		return nil, err
	}
	c, err := bench.NewCopies(lines)
	if err != nil {
		return nil, err
	}
	return c.Lines, nil
}

func (p *program) benchSearch() *cobra.Command {
	words := bench.Words{}
	c := settings(&cobra.Command{
		Use:   "search FILE… [--words 300]",
		Short: "Search a running server for the words of FILE, each once",
		Long: `Search a running server that has imported the messages of lishi bench chat FILE…
for two-character Chinese words of the same files: rare ones (in fewer than 1 of
10,000 messages), middle ones (up to 1 of 500) and common ones. Each word is
asked for once, in all conversations of the user.`,
		Args: cobra.MinimumNArgs(1),
	})
	c.Flags().StringVar(&words.User, "user", bench.Searcher, "who searches")
	c.Flags().IntVar(&words.Most, "words", 300, "words of each class")
	c.Flags().IntVar(&words.Limit, "limit", 50, "messages a page")
	c.RunE = func(c *cobra.Command, files []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		if words.Most < 1 {
			return usageError{fmt.Errorf("words must be 1 or more")}
		}
		words.Addr = cfg.Listen
		chat, err := bench.ReadChat(files...)
		if err != nil {
			return err
		}
		words.Words = chat.Words()
		if words.Token, err = tokensOf(cfg); err != nil {
			return err
		}
		r, err := words.Run(c.Context())
		if err != nil {
			return err
		}
		return p.report(r)
	}
	return c
}

// tokensOf makes tokens of anybody, as a load needs them.
func tokensOf(cfg config.Config) (func(user string) (string, error), error) {
	k, err := signer(cfg)
	if err != nil {
		return nil, err
	}
	return func(user string) (string, error) { return k.Sign(tokens.Claims{UserID: user}) }, nil
}

// report prints what was measured, as a line or as JSON.
func (p *program) report(r fmt.Stringer) error {
	if p.asJSON {
		return p.json(r)
	}
	_, err := fmt.Fprintln(p.out, r)
	return err
}
