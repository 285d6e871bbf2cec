FROM lab/debian:bookworm
COPY files/usr/local/share/ca-certificates/corp.crt /usr/local/share/ca-certificates/
RUN update-ca-certificates
ENV NODE_EXTRA_CA_CERTS=/usr/local/share/ca-certificates/corp.crt
