# The program alone: Kafka and ClickHouse are addresses (docker-compose.yml).
# glibc, because the program loads shared libraries at run time: not Alpine, not scratch.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-X lishi/infra/app.Version=${VERSION}" -o /lishi .

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/lishi lishi
COPY --from=build /lishi /usr/local/bin/lishi
USER lishi
WORKDIR /var/lib/lishi
ENV LISHI_LISTEN=0.0.0.0:8080 LISHI_DATA=/var/lib/lishi/data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=12 \
  CMD curl -fsS http://127.0.0.1:8080/readyz || exit 1
ENTRYPOINT ["lishi"]
CMD ["serve"]
