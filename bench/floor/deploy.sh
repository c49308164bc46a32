# The floor of a deployment, until the switch: the git and npm commands that it takes.
# bench sets $sha and $source before it, and switch.sh or handover.sh comes after it.
set -eu
repo=/var/cache/app.git
release=/srv/app/releases/$sha
export GIT_SSH_COMMAND='ssh -i /root/.ssh/deploy_key -o UserKnownHostsFile=/root/.ssh/known_hosts_git'

as_app() {
	(cd "$release/$1" && setpriv --reuid appuser --regid appuser --init-groups env HOME=/home/appuser DATA_DIR=/srv/app/data \
		npm_config_cache=/srv/app/npm npm_config_prefer_offline=true npm_config_audit=false npm_config_fund=false npm_config_update_notifier=false sh -c "$2")
}

git --git-dir=$repo fetch --quiet --no-tags --depth=1 "$source" "$sha"
mkdir "$release"
git --git-dir=$repo --work-tree="$release" checkout --quiet --force "$sha" -- .
chown -R appuser: "$release"
as_app backend 'npm ci'
as_app frontend 'npm ci && npm run build'
as_app backend 'npm run migrate'
