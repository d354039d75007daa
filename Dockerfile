# docker build --tag engage-operator:0.1.0 .
# Without a daemon: scripts/image makes the same image with buildah.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
# Only what the program is made of: other changes leave the cached layers alone.
COPY Cargo.toml Cargo.lock rust-toolchain.toml ./
COPY src src
COPY tests tests
COPY benches/rivals/bare benches/rivals/bare
COPY examples examples
COPY scripts/image-root scripts/image-root
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin engage-operator && \
    scripts/image-root target/release/engage-operator /image

FROM scratch
COPY --from=build /image /
# By number, so that Kubernetes can tell that it is not root.
USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["/engage-operator"]
CMD ["--help"]
LABEL org.opencontainers.image.title="engage-operator" \
      org.opencontainers.image.description="Segment events become WhatsApp conversations with agents in Twilio Flex" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/engage-operator/engage-operator"
