# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
RUN rustup target add wasm32-unknown-unknown
WORKDIR /src
COPY . .
# release, or dev for quick builds while developing
ARG PROFILE=release
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    --mount=type=cache,target=/src/plugins/target,sharing=locked \
    cargo build --locked --profile "$PROFILE" --package hoopoe-runtime --bin hoopoe \
    && folder="$PROFILE" && if [ "$PROFILE" = dev ]; then folder=debug; fi \
    && install -m 0755 "target/$folder/hoopoe" /usr/local/bin/hoopoe

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin hoopoe \
    && install --directory --owner=hoopoe /var/lib/hoopoe/media
COPY --from=build /usr/local/bin/hoopoe /usr/local/bin/hoopoe
USER hoopoe
ENV APP_ENV=production HOST=0.0.0.0 PORT=3000 MEDIA_STORE=/var/lib/hoopoe/media
VOLUME /var/lib/hoopoe/media
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["hoopoe", "health"]
ENTRYPOINT ["hoopoe"]
CMD ["serve"]
