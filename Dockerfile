# heaptape with all that it replays on and charts with, on Debian 12:
#   docker build -t heaptape .
#   docker run --rm -v "$PWD:/data" heaptape bench app.tape -o results
#   docker run --rm -it --entrypoint sh heaptape
# Attaching to a process (record --pid) needs --cap-add=SYS_PTRACE as well.
#
# The RUN steps are those that README and `heaptape setup` name; `make test-dockerfile` executes them in a
# clean Debian 12, and tests/install/test_dockerfile.py holds them against each other.
FROM debian:12
WORKDIR /heaptape

# The set-up first: it is done again only when the list of packages changes.
COPY heaptape VERSION ./
RUN ./heaptape setup && rm -rf /var/lib/apt/lists/*

COPY . .
RUN make -j2
RUN make install

WORKDIR /data
ENTRYPOINT ["heaptape"]
CMD ["--help"]
