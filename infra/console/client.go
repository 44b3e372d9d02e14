package console

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client asks a running console: the commands of the command line do.
type Client struct {
	// Base is http:// or https:// with host and port.
	Base string
	// Token is sent with each request, and Reason if there is one.
	Token, Reason string
	TLS           *tls.Config // nil: the system's issuers
}

// ErrSilent is that nothing answers where a console should.
var ErrSilent = errors.New("no console answers")

// Do sends a request and gives the answer's body, to be closed. in is sent as
// JSON, unless it is nil or an io.Reader, which is sent as it stands. A refusal
// is an *Error; that nobody answers is told with the address.
func (c *Client) Do(ctx context.Context, method, path string, params url.Values, in any) (io.ReadCloser, error) {
	var body io.Reader
	switch in := in.(type) {
	case nil:
	case io.Reader:
		body = in
	default:
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	where := strings.TrimSuffix(c.Base, "/") + path
	if len(params) > 0 {
		where += "?" + params.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, where, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if c.Reason != "" {
		req.Header.Set("Lishi-Reason", url.PathEscape(c.Reason))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig, transport.DisableKeepAlives = c.TLS, true
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		var outer *url.Error
		if errors.As(err, &outer) {
			err = outer.Err
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrSilent, c.Base, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	e := &Error{}
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if json.Unmarshal(raw, e) != nil || e.Reason == "" {
		return nil, fmt.Errorf("%s%s answered with status %s: is it lishi's console?", c.Base, path, resp.Status)
	}
	return nil, e
}

// Get asks for one JSON value.
func (c *Client) Get(ctx context.Context, path string, params url.Values, into any) error {
	return c.value(ctx, http.MethodGet, path, params, nil, into)
}

// Post sends in as JSON and reads one JSON value; into may be nil.
func (c *Client) Post(ctx context.Context, path string, in, into any) error {
	return c.value(ctx, http.MethodPost, path, nil, in, into)
}

func (c *Client) value(ctx context.Context, method, path string, params url.Values, in, into any) error {
	body, err := c.Do(ctx, method, path, params, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if into == nil {
		return nil
	}
	return json.NewDecoder(body).Decode(into)
}

// Lines asks for an answer of lines and hands on each; the slice is valid until
// each returns. An error line ends it as the *Error that it is, a broken
// connection with io.ErrUnexpectedEOF.
func (c *Client) Lines(ctx context.Context, method, path string, params url.Values, in any, each func(line []byte) error) error {
	body, err := c.Do(ctx, method, path, params, in)
	if err != nil {
		return err
	}
	defer body.Close()
	for lines := bufio.NewReader(body); ; {
		line, err := lines.ReadBytes('\n')
		if err == nil || len(bytes.TrimSpace(line)) > 0 && err == io.EOF {
			var failed struct{ Error *Error }
			if bytes.HasPrefix(line, []byte(`{"error":`)) && json.Unmarshal(line, &failed) == nil && failed.Error != nil {
				return failed.Error
			}
			if err := each(bytes.TrimSpace(line)); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
