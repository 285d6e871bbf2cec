#!/bin/sh
# Installs dockerdo and dodo from a release, after a look at the checksum:
#   curl -fsSL https://github.com/dockerdo/dockerdo/releases/latest/download/install.sh | sh
# DOCKERDO_VERSION      a version such as 0.1.0; without it the latest
# DOCKERDO_INSTALL_DIR  where to; without it ~/.local/bin
# DOCKERDO_RELEASES     where releases are; for mirrors
set -eu

repository=dockerdo/dockerdo

# The first line says what is wrong, the others what to do.
fail() {
  printf 'install.sh: %s\n' "$1" >&2
  shift
  if [ $# -gt 0 ]; then printf '  %s\n' "$@" >&2; fi
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

platform() {
  system=$(uname -s)
  machine=$(uname -m)
  # A shell under Rosetta calls an arm64 Mac x86_64.
  if [ "$system" = Darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
    machine=arm64
  fi
  case $system in
    Linux) system=linux ;;
    Darwin) system=macos ;;
    *) unsupported ;;
  esac
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) unsupported ;;
  esac
  printf '%s-%s\n' "$system" "$machine"
}

unsupported() {
  fail "there is no executable for $(uname -s) on $(uname -m), only for Linux and macOS on x64 and arm64" \
    'From a checkout dockerdo runs wherever Deno does; on Windows use WSL.'
}

# URL FILE. Half a file is no file: both programs fail then.
download() {
  if has curl; then
    case $1 in
      https:*) curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --output "$2" -- "$1" ;;
      *) curl --fail --silent --show-error --location --output "$2" -- "$1" ;;
    esac
  elif has wget; then
    wget -q -O "$2" -- "$1"
  else
    fail 'curl or wget is needed to download'
  fi
}

sha256_of() {
  if has sha256sum; then
    sha256sum <"$1"
  elif has shasum; then
    shasum -a 256 <"$1"
  else
    fail 'sha256sum or shasum is needed to verify the download'
  fi
}

clean_up() {
  rm -rf "$work"
  if [ -n "$staged" ]; then rm -rf "$staged"; fi
}

main() {
  directory=${DOCKERDO_INSTALL_DIR:-${HOME:?is not set, and DOCKERDO_INSTALL_DIR is not either}/.local/bin}
  case $directory in
    /*) ;;
    *) directory=$PWD/$directory ;;
  esac
  version=${DOCKERDO_VERSION:-latest}
  version=${version#v}
  releases=${DOCKERDO_RELEASES:-https://github.com/$repository/releases}
  case $version in
    latest) from=$releases/latest/download ;;
    *[!0-9A-Za-z.+-]* | '') fail "DOCKERDO_VERSION=$version is no version" 'Give one such as 0.1.0.' ;;
    *) from=$releases/download/v$version ;;
  esac
  archive=dockerdo-$(platform).tar.gz

  work=$(mktemp -d)
  staged=
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM

  echo "Downloading $from/$archive" >&2
  if ! download "$from/SHA256SUMS" "$work/SHA256SUMS" || ! download "$from/$archive" "$work/$archive"; then
    fail 'the download failed; nothing was changed' "Is there such a version? $releases"
  fi

  wanted=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$work/SHA256SUMS")
  found=$(sha256_of "$work/$archive")
  found=${found%% *}
  if [ -z "$wanted" ] || [ "$wanted" != "$found" ]; then
    fail 'the checksum is not that of the release; nothing was changed' \
      "wanted ${wanted:-(SHA256SUMS does not name $archive)}" "found  $found" \
      'Try again; where it stays so, do not install, and tell the maintainers.'
  fi

  mkdir -p "$directory" || fail "$directory cannot be made" 'Name another with DOCKERDO_INSTALL_DIR.'
  # Beside the target, so that what replaces the old executable is one rename.
  staged=$(mktemp -d "$directory/.dockerdo.XXXXXX") ||
    fail "$directory cannot be written to" 'Name another with DOCKERDO_INSTALL_DIR.'
  tar -xmzf "$work/$archive" -C "$staged" dockerdo dodo || fail 'the archive cannot be unpacked; nothing was changed'
  installed=$("$staged/dockerdo" --version) ||
    fail 'the executable does not run on this system; nothing was changed' \
      'On Linux it needs the GNU C library (so not Alpine); from a checkout dockerdo runs wherever Deno does.'
  mv -f "$staged/dockerdo" "$directory/dockerdo"
  mv -f "$staged/dodo" "$directory/dodo"

  echo "Installed $installed: $directory/dockerdo, $directory/dodo" >&2
  case :$PATH: in
    *":$directory:"*) next='dockerdo install' ;;
    *)
      echo "$directory is not on your PATH; add to your shell's configuration:" >&2
      echo "  export PATH=\"$directory:\$PATH\"" >&2
      next="$directory/dockerdo install"
      ;;
  esac
  echo "Next, the configuration file and your shell's completions: $next" >&2
}

# In the last line, so that a half of this script does nothing.
main
