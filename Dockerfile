# streamspc in a slim image: built in one stage, run in another that has neither compilers nor pip. The root file system may be read-only.
FROM python:3.12.12-slim-bookworm AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md ./
COPY src src
RUN python -m venv /opt/streamspc \
    && /opt/streamspc/bin/pip install --no-cache-dir --constraint constraints.txt . \
    && /opt/streamspc/bin/pip uninstall --yes pip

FROM python:3.12.12-slim-bookworm
RUN pip uninstall --yes pip
LABEL org.opencontainers.image.title="streamspc"
COPY --from=build /opt/streamspc /opt/streamspc
ENV PATH=/opt/streamspc/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 9404
ENTRYPOINT ["streamspc"]
CMD ["run", "--config.file", "/etc/streamspc/streamspc.yaml", "--web.listen-address", ":9404"]
