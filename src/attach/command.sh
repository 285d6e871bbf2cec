#!/bin/sh
# What sshd of a helper runs for each login: files are the container's by SFTP, and commands are dockerdo's own alone.
# A shell here would be one in the helper.
if [ "${SSH_ORIGINAL_COMMAND-}" = /etc/dockerdo/sftp ]; then exec /etc/dockerdo/sftp; fi
case ${SSH_ORIGINAL_COMMAND-} in
  ": dockerdo helper; "*) exec /bin/sh -c "$SSH_ORIGINAL_COMMAND" ;;
esac
echo "dockerdo: of an attached session ssh reaches the files alone (sftp, scp); dodo runs commands in its container" >&2
exit 126
