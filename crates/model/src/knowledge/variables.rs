//! Variables that well-known images set, to values that change with their versions.

use super::Name;

#[rustfmt::skip]
const PHP: &[&str] = &[
    "PHPIZE_DEPS", "PHP_ASC_URL", "PHP_CFLAGS", "PHP_CPPFLAGS", "PHP_EXTRA_CONFIGURE_ARGS",
    "PHP_INI_DIR", "PHP_LDFLAGS", "PHP_SHA256", "PHP_URL", "PHP_VERSION", "GPG_KEYS",
];

/// Official images, and what the Dockerfiles of their current versions set.
#[rustfmt::skip]
const OFFICIAL: &[(&str, &[&str])] = &[
    ("amazoncorretto", &["JAVA_HOME", "LANG"]),
    ("composer", &["COMPOSER_VERSION", "COMPOSER_HOME", "COMPOSER_ALLOW_SUPERUSER"]),
    ("docker", &["DOCKER_VERSION", "DOCKER_BUILDX_VERSION", "DOCKER_COMPOSE_VERSION", "DOCKER_TLS_CERTDIR", "DIND_COMMIT"]),
    ("eclipse-temurin", &["JAVA_VERSION", "LANG", "LANGUAGE", "LC_ALL"]),
    ("elixir", &["ELIXIR_VERSION", "OTP_VERSION", "REBAR3_VERSION", "LANG"]),
    ("erlang", &["OTP_VERSION", "REBAR_VERSION", "REBAR3_VERSION"]),
    ("gcc", &["GCC_VERSION", "GCC_MIRRORS", "GPG_KEYS"]),
    ("ghost", &["GHOST_VERSION", "GHOST_CLI_VERSION", "GHOST_INSTALL", "GHOST_CONTENT", "GOSU_VERSION", "NODE_ENV", "NODE_VERSION", "YARN_VERSION"]),
    ("golang", &["GOLANG_VERSION", "GOTOOLCHAIN", "GOPATH"]),
    ("gradle", &["GRADLE_HOME", "GRADLE_VERSION", "JAVA_HOME", "JAVA_VERSION", "LANG", "LANGUAGE", "LC_ALL"]),
    ("groovy", &["GROOVY_HOME", "GROOVY_VERSION", "JAVA_HOME", "JAVA_VERSION"]),
    ("haproxy", &["HAPROXY_VERSION", "HAPROXY_URL", "HAPROXY_SHA256"]),
    ("httpd", &["HTTPD_PREFIX", "HTTPD_VERSION", "HTTPD_SHA256", "HTTPD_PATCHES"]),
    ("ibm-semeru-runtimes", &["JAVA_HOME", "JAVA_VERSION", "LANG", "LANGUAGE", "LC_ALL"]),
    ("influxdb", &["INFLUXDB_VERSION", "INFLUX_CLI_VERSION"]),
    ("jetty", &["JETTY_VERSION", "JETTY_HOME", "JETTY_BASE", "JAVA_HOME", "TMPDIR"]),
    ("julia", &["JULIA_PATH", "JULIA_VERSION", "JULIA_GPG"]),
    ("mariadb", &["MARIADB_VERSION", "GOSU_VERSION", "LANG"]),
    ("maven", &["MAVEN_HOME", "MAVEN_CONFIG", "JAVA_HOME", "JAVA_VERSION", "LANG", "LANGUAGE", "LC_ALL"]),
    ("memcached", &["MEMCACHED_VERSION", "MEMCACHED_URL", "MEMCACHED_SHA1"]),
    ("mongo", &["MONGO_MAJOR", "MONGO_VERSION", "MONGO_PACKAGE", "MONGO_REPO", "GOSU_VERSION", "JSYAML_VERSION"]),
    ("mysql", &["MYSQL_MAJOR", "MYSQL_VERSION", "MYSQL_SHELL_VERSION", "GOSU_VERSION"]),
    ("neo4j", &["NEO4J_HOME", "NEO4J_EDITION", "NEO4J_SHA256", "NEO4J_TARBALL", "JAVA_HOME", "LANG"]),
    ("nginx", &["NGINX_VERSION", "NJS_VERSION", "NJS_RELEASE", "PKG_RELEASE", "DYNPKG_RELEASE", "ACME_VERSION"]),
    ("node", &["NODE_VERSION", "YARN_VERSION"]),
    ("openjdk", &["JAVA_HOME", "JAVA_VERSION", "LANG"]),
    ("perl", &["PERL_VERSION"]),
    ("postgres", &["PG_MAJOR", "PG_VERSION", "PG_SHA256", "PGDATA", "GOSU_VERSION", "LANG", "DOCKER_PG_LLVM_DEPS"]),
    ("pypy", &["PYPY_VERSION", "LANG"]),
    ("python", &["PYTHON_VERSION", "PYTHON_SHA256", "GPG_KEY", "PYTHON_PIP_VERSION", "PYTHON_SETUPTOOLS_VERSION", "PYTHON_GET_PIP_URL", "PYTHON_GET_PIP_SHA256"]),
    ("rabbitmq", &["RABBITMQ_VERSION", "RABBITMQ_HOME", "RABBITMQ_DATA_DIR", "RABBITMQ_PGP_KEY_ID", "OPENSSL_VERSION", "OTP_VERSION", "ERLANG_INSTALL_PATH_PREFIX", "HOME", "LANG", "LANGUAGE", "LC_ALL"]),
    ("redis", &["REDIS_VERSION", "REDIS_DOWNLOAD_URL", "REDIS_DOWNLOAD_SHA", "GOSU_VERSION"]),
    ("ruby", &["RUBY_VERSION", "RUBY_MAJOR", "RUBY_DOWNLOAD_URL", "RUBY_DOWNLOAD_SHA256"]),
    ("rust", &["RUST_VERSION"]),
    ("sapmachine", &["JAVA_HOME"]),
    ("solr", &["SOLR_USER", "SOLR_UID", "SOLR_GROUP", "SOLR_GID", "SOLR_PID_DIR", "SOLR_LOGS_DIR", "SOLR_HOME", "SOLR_INCLUDE", "LOG4J_PROPS", "JAVA_HOME", "JAVA_VERSION"]),
    ("sonarqube", &["SONARQUBE_HOME", "SONAR_VERSION", "SQ_DATA_DIR", "SQ_EXTENSIONS_DIR", "SQ_LOGS_DIR", "SQ_TEMP_DIR", "JAVA_HOME"]),
    ("swift", &["SWIFT_VERSION", "SWIFT_BRANCH", "SWIFT_PLATFORM", "SWIFT_SIGNING_KEY", "SWIFT_WEBROOT"]),
    ("tomcat", &["CATALINA_HOME", "TOMCAT_MAJOR", "TOMCAT_VERSION", "TOMCAT_SHA512", "TOMCAT_NATIVE_LIBDIR", "LD_LIBRARY_PATH", "JAVA_HOME", "JAVA_VERSION", "GPG_KEYS", "LANG", "LANGUAGE", "LC_ALL"]),
];

/// Other images, by repository.
#[rustfmt::skip]
const OTHERS: &[(&str, &[&str])] = &[
    ("dotnet/aspnet", &["ASPNET_VERSION", "DOTNET_VERSION", "APP_UID", "ASPNETCORE_HTTP_PORTS", "DOTNET_RUNNING_IN_CONTAINER"]),
    ("dotnet/runtime", &["DOTNET_VERSION", "APP_UID", "ASPNETCORE_HTTP_PORTS", "DOTNET_RUNNING_IN_CONTAINER"]),
    ("dotnet/runtime-deps", &["APP_UID", "ASPNETCORE_HTTP_PORTS", "DOTNET_RUNNING_IN_CONTAINER"]),
    ("dotnet/sdk", &["DOTNET_SDK_VERSION", "ASPNET_VERSION", "DOTNET_VERSION", "APP_UID", "ASPNETCORE_HTTP_PORTS", "DOTNET_RUNNING_IN_CONTAINER"]),
    ("jenkins/jenkins", &["JENKINS_HOME", "JENKINS_VERSION", "JENKINS_UC", "JENKINS_UC_EXPERIMENTAL", "REF", "JENKINS_INCREMENTALS_REPO_MIRROR", "COPY_REFERENCE_FILE_LOG", "JAVA_HOME", "LANG"]),
    ("lukemathwalker/cargo-chef", &["RUST_VERSION"]),
    ("nginxinc/nginx-unprivileged", &["NGINX_VERSION", "NJS_VERSION", "NJS_RELEASE", "PKG_RELEASE", "DYNPKG_RELEASE", "ACME_VERSION"]),
    ("nvidia/cuda", &["CUDA_VERSION", "LD_LIBRARY_PATH", "LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_REQUIRE_CUDA", "NVARCH", "NV_CUDA_LIB_VERSION", "NV_CUDA_CUDART_VERSION"]),
    ("sbtscala/scala-sbt", &["JAVA_HOME", "JAVA_VERSION", "SBT_VERSION", "SCALA_VERSION"]),
];

/// Official images that are made of the php image.
#[rustfmt::skip]
const OF_PHP: &[&str] = &[
    "php", "composer", "drupal", "friendica", "joomla", "matomo", "mediawiki", "monica",
    "nextcloud", "phpmyadmin", "postfixadmin", "wordpress", "yourls",
];

/// The variables that an image of this name sets.
pub(super) fn of(name: &Name<'_>) -> Vec<&'static str> {
    let find = |table: &[(&str, &'static [&'static str])], wanted: &str| {
        let row = table.iter().find(|(known, _)| *known == wanted);
        row.map_or(&[][..], |(_, variables)| variables)
    };
    match name.official {
        Some(official) => {
            let php: &[&str] = if OF_PHP.contains(&official) { PHP } else { &[] };
            let old_go = official == "golang" && name.version().is_some_and(|v| v < (1, Some(21)));
            let mut found = [find(OFFICIAL, official), php].concat();
            found.retain(|variable| !(old_go && *variable == "GOTOOLCHAIN"));
            found
        }
        None => find(OTHERS, name.repository).to_vec(),
    }
}
