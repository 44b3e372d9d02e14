package ws

import (
	"bytes"
	"fmt"

	"gopkg.in/yaml.v3"
)

// node is a piece of a YAML document; mappings keep the order they were made in.
type node = *yaml.Node

// mapping makes a mapping of names and values; a nil value leaves its name out.
func mapping(kv ...any) node {
	m := &yaml.Node{Kind: yaml.MappingNode}
	return with(m, kv...)
}

// with adds names and values to a mapping.
func with(m node, kv ...any) node {
	for i := 0; i < len(kv); i += 2 {
		if v := asNode(kv[i+1]); v != nil {
			m.Content = append(m.Content, asNode(kv[i]), v)
		}
	}
	return m
}

func sequence[T any](values ...T) node {
	s := &yaml.Node{Kind: yaml.SequenceNode}
	for _, v := range values {
		s.Content = append(s.Content, asNode(v))
	}
	return s
}

func asNode(v any) node {
	switch v := v.(type) {
	case nil:
		return nil
	case node:
		return v
	}
	n := &yaml.Node{}
	if err := n.Encode(v); err != nil {
		panic(fmt.Sprintf("%T in a document: %v", v, err))
	}
	return n
}

// flow writes a short piece on one line.
func flow(n node) node {
	n.Style = yaml.FlowStyle
	return n
}

func ref(section, name string) node { return flow(mapping("$ref", "#/components/"+section+"/"+name)) }

// document writes a whole document, with a comment on top.
func document(comment string, n node) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n", comment)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		panic(err)
	}
	return b.Bytes()
}
