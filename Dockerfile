# The server alone, for a database elsewhere (BRASA_DATABASE_URL): `docker build -t brasa:dev .`
# There is no PostgreSQL inside, so nothing is kept in the container.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN cargo build --release --locked && strip --strip-debug target/release/brasa

FROM debian:bookworm-slim
# Certificates, for a database reached by TLS.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/target/release/brasa /usr/local/bin/brasa
# A number, so that Kubernetes can see that it is not root. This user owns no file and has no home.
USER 10001:10001
# No EXPOSE: without accounts the server listens on the container's own loopback only (docker-compose.yml says how
# it is reached all the same).
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s CMD ["brasa", "health"]
ENTRYPOINT ["brasa"]
CMD ["serve"]
