# Proxies of other projects in front of the programs: HAProxy and nginx, with lines of the manual.

# certificate: writes a certificate for www.example.org to crt, its key to key, and both to pem.
certificate() {
	need openssl
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=www.example.org -addext subjectAltName=DNS:www.example.org \
		-keyout key -out crt 2>/dev/null
	cat key crt >pem
}

# haproxy_config MODE LINE...: writes haproxy.cfg.
haproxy_config() {
	need haproxy
	printf '%s\n' defaults " mode $1" ' timeout connect 5s' ' timeout client 1m' ' timeout server 1m' "${@:2}" >haproxy.cfg
}

haproxy_start() {
	haproxy_config "$@"
	start haproxy haproxy -db -f haproxy.cfg
}

# nginx_config LINES: writes nginx.conf. $http is what a section http needs so that nginx writes only into this directory.
nginx_config() {
	need nginx
	printf '%s\n' "$1" "pid $PWD/nginx.pid; error_log stderr; worker_processes 1; events { }" >nginx.conf
}

nginx_start() {
	nginx_config "$1"
	start nginx nginx -p "$PWD" -c nginx.conf -g 'daemon off;'
}

http='access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;'
