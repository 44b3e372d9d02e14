package tokens

import "testing"

func BenchmarkVerify(b *testing.B) {
	k := fromFile(b, everyKey(), Options{Secret: secret, Issuer: "https://issuer.example", Audience: "chat"})
	claims := object{"sub": "alice", "name": "Alice", "exp": at.Unix() + 3600, "iss": "https://issuer.example", "aud": "chat"}
	for _, algorithm := range []string{hs256, rs256, es256, edDSA} {
		b.Run(algorithm, func(b *testing.B) {
			token := sign(b, algorithm, pairs()[algorithm], object{"kid": algorithm}, claims)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Verify(token, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReadSet(b *testing.B) {
	raw := everyKey()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := readSet(raw); err != nil {
			b.Fatal(err)
		}
	}
}
