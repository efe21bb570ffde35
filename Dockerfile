# One image for worker and doors; which of them it is, the command says.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md ./
RUN python -m venv /opt/tocsin \
 && /opt/tocsin/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY incident incident
COPY integrations integrations
COPY activities activities
COPY workflows workflows
COPY runtime runtime
COPY worker worker
COPY starter starter
RUN /opt/tocsin/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home tocsin && mkdir /data && chown tocsin /data
COPY --from=build /opt/tocsin /opt/tocsin
ENV PATH=/opt/tocsin/bin:$PATH TOCSIN_DATA=/data TOCSIN_LOG_FORMAT=json PYTHONUNBUFFERED=1
USER tocsin
VOLUME /data
EXPOSE 8700
CMD ["tocsin", "worker"]
