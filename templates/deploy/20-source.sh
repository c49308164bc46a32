
# --- the source: from a git server into a mirror, from there into a release.

# read_credentials puts the deploy key or token into a directory in memory that
# only root can read. Neither is ever an argument or a variable that is exported.
read_credentials() {
	secrets=$(mktemp -d "$RUN/appstack-git.XXXXXX")
	chmod 700 "$secrets"
	: >"$secrets/credential"
	chmod 600 "$secrets/credential"
	if [ -n "$credentials" ]; then
		[ -z "$(find "$credentials" -prune -perm /077)" ] || die 2 "$credentials may be read by others: chmod 600"
		cat <"$credentials" >"$secrets/credential"
	elif [ ! -t 0 ]; then
		timeout 60 cat >"$secrets/credential" ||
			die 2 'nothing came on standard input within a minute: add </dev/null, or --credentials FILE'
	fi
	case $(head -c 11 "$secrets/credential") in
	-----BEGIN\ *)
		# OpenSSH refuses a key whose last line does not end.
		(umask 077 && { cat "$secrets/credential" && echo; } >"$secrets/key")
		identity="-o IdentitiesOnly=yes -i $secrets/key"
		;;
	'') identity='' ;;
	*)
		identity=''
		cat >"$secrets/askpass" <<EOF
#!/bin/sh
case \$1 in
Username*) echo x-access-token ;;
*) cat '$secrets/credential' ;;
esac
EOF
		chmod 700 "$secrets/askpass"
		GIT_ASKPASS=$secrets/askpass
		export GIT_ASKPASS
		;;
	esac
	GIT_SSH_COMMAND="ssh -F /dev/null -o BatchMode=yes -o ConnectTimeout=15 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$known_hosts $identity"
	GIT_TERMINAL_PROMPT=0
	GIT_CONFIG_GLOBAL=/dev/null
	export GIT_SSH_COMMAND GIT_TERMINAL_PROMPT GIT_CONFIG_GLOBAL
}

forget_credentials() {
	[ -z "${secrets:-}" ] || rm -rf "$secrets"
	secrets=''
	unset GIT_ASKPASS GIT_SSH_COMMAND
}

repo_git() { git --git-dir="$repo" "$@"; }

# name_release sets $commit, and $sha to the release's name: the commit, and where that is
# built with something else already, what it is built with now. appstack gives a whole
# name to have that release again.
name_release() {
	commit=$sha
	case $sha in
	*-b[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]) commit=${sha%-b*} ;;
	*) ! marked "$sha" ready || built_alike "$sha" || sha=$sha-b$build_id ;;
	esac
}

# built_alike RELEASE tells whether it is built as the configuration says.
built_alike() {
	read -r has <"$app/releases/$1.ready" || :
	for part in $built; do
		case " $has " in
		*" $part "*) ;;
		*) return 1 ;;
		esac
	done
}

# resolve_commit does that for the commit that a branch or tag is at now.
resolve_commit() {
	case $commit in
	*[!0-9a-f]*) ;;
	????????????????????????????????????????) return 0 ;;
	esac
	ref=$commit
	sha=$(git ls-remote "$source" "refs/heads/$ref" "refs/tags/$ref^{}" "refs/tags/$ref" | cut -f 1 | head -n 1)
	[ -n "$sha" ] || die 4 "cannot find $ref in $source"
	say "$ref is $sha"
	name_release
}

# fetch brings exactly one commit into the mirror, as little of it as is missing.
fetch() {
	if ! repo_git cat-file -e "$commit^{tree}" 2>/dev/null; then
		[ -d "$repo" ] || git init --quiet --bare "$repo"
		chmod 700 "$repo"
		if ! repo_git fetch --quiet --no-tags --depth=1 "$source" "$commit"; then
			# A server that does not give out single commits.
			repo_git fetch --quiet --no-tags "$source" '+refs/heads/*:refs/heads/*' || die 4 "cannot fetch from $source"
			repo_git cat-file -e "$commit^{tree}" 2>/dev/null || die 4 "cannot find the commit $commit in $source"
		fi
	fi
	repo_git update-ref "refs/appstack/$sha" "$commit"
}

# check_out makes the release's directory from the mirror. Not `git archive`:
# that leaves out what the repository marks export-ignore.
check_out() {
	rm -rf "${release:?}"
	mkdir "$release"
	GIT_INDEX_FILE=$repo/appstack-index
	export GIT_INDEX_FILE
	rm -f "$GIT_INDEX_FILE"
	git --git-dir="$repo" --work-tree="$release" read-tree -u --reset "$commit" || die 4 "cannot check out $commit"
	rm -f "$GIT_INDEX_FILE"
	unset GIT_INDEX_FILE
	[ ! -e "$release/.gitmodules" ] || say 'warning: the submodules of this repository are not checked out'
	chown -R "$user:" "$release"
}

# unpack makes the release's directory from the tar file on standard input.
unpack() {
	rm -rf "${release:?}"
	mkdir "$release"
	tar -x --no-same-owner -C "$release" -f - || die 4 'cannot unpack the tree: the transfer was cut off, or is no tar file'
	chown -R "$user:" "$release"
}
