FROM lab/debian:bookworm
COPY files/srv/app/ /srv/app/
COPY files/etc/x.conf files/etc/y.conf /etc/
COPY files/opt/tools/ /opt/tools/
RUN echo hi > /etc/greeting \
 && rm /etc/issue \
 && mkfifo -m 640 /srv/app/fifo
