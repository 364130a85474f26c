//! Languages: what their package managers and build tools leave, for which machine, on a stage that
//! runs on linux/amd64 and an image for linux/arm64 (and the other way round where it matters).

use crate::{evaluate, has, lacks};

/// The files that a stage on the build platform (linux/amd64) holds in the end, on linux/arm64:
/// those whose line starts with one of `paths`.
#[track_caller]
fn leaves(base: &str, body: &str, want: &[&str]) {
    let text = format!(
        "FROM --platform=$BUILDPLATFORM {base}\nARG TARGETARCH TARGETPLATFORM\nWORKDIR /s\n{body}\n"
    );
    let dumped = mlint_model::dump::dump(&evaluate(&text, "linux/arm64"), &text);
    let got: Vec<&str> = dumped
        .lines()
        .filter_map(|l| l.trim().strip_prefix("file "))
        .filter_map(|l| l.split_once(", lines ").map(|(file, _)| file))
        .collect();
    for line in want {
        assert!(got.contains(line), "no '{line}' among {got:#?}\n{dumped}");
    }
    assert!(!want.is_empty() || got.is_empty(), "{got:#?}\n{dumped}");
}

const NET: &str = "mcr.microsoft.com/dotnet/sdk:8.0";

#[test]
fn dotnet_brings_a_launcher_of_the_sdk() {
    leaves(
        NET,
        "RUN dotnet publish -c Release -o /app",
        &["/app/*: any ? compiled by DotNet", "/app/?: maybe linux/amd64 glibc compiled by DotNet"],
    );
    // On the build platform itself, the same launcher is right.
    let text = format!(
        "FROM --platform=$BUILDPLATFORM {NET} AS b\nRUN dotnet publish -o /app\nFROM debian\nCOPY --from=b /app /app\n"
    );
    assert_eq!(evaluate(&text, "linux/amd64").wrong_artifacts().count(), 0);
    assert!(evaluate(&text, "linux/arm64").wrong_artifacts().all(|a| !a.certain));
    for switch in ["-p:UseAppHost=false", "/p:UseAppHost=false", "--property:UseAppHost=false"] {
        let body = format!("RUN dotnet publish {switch} -o /app");
        leaves(NET, &body, &["/app/*: any ? compiled by DotNet"]);
        let text = format!("FROM {NET}\n{body}\n");
        lacks(&text, "linux/arm64", &["/app/?"]);
    }
    lacks(
        &format!("FROM {NET}\nENV UseAppHost=false\nRUN dotnet publish -o /app\n"),
        "linux/arm64",
        &["/app/?"],
    );
}

#[test]
fn dotnet_identifiers_name_machine_and_library() {
    for (arguments, want) in [
        ("-r linux-arm64 --self-contained", "/app/*: linux/arm64 glibc compiled by DotNet"),
        ("-r linux-musl-x64 --self-contained true", "/app/*: linux/amd64 musl compiled by DotNet"),
        (
            "-r linux-x64 --self-contained false",
            "/app/*: maybe linux/amd64 glibc compiled by DotNet",
        ),
        (
            "-a $TARGETARCH -p:PublishSingleFile=true",
            "/app/*: linux/arm64 glibc compiled by DotNet",
        ),
        ("-a amd64", "/app/*: maybe linux/amd64 glibc compiled by DotNet"),
        (
            "-p:RuntimeIdentifier=linux-arm64 -p:PublishAot=true",
            "/app/*: linux/arm64 glibc compiled by DotNet",
        ),
        ("-r $(cat rid) --self-contained", "/app/*: ? ? compiled by DotNet"),
        ("-r win-x64 --self-contained", "/app/*: windows/amd64 ? compiled by DotNet"),
        ("-p:PublishAot=true", "/app/*: linux/amd64 glibc compiled by DotNet"),
    ] {
        leaves(NET, &format!("RUN dotnet publish {arguments} -o /app"), &[want]);
    }
    // Before 8, an identifier meant that the runtime comes along; --arch keeps the SDK's library.
    leaves(
        "mcr.microsoft.com/dotnet/sdk:6.0-alpine",
        "RUN dotnet publish -a $TARGETARCH -o /app",
        &["/app/*: linux/arm64 musl compiled by DotNet"],
    );
    leaves(
        NET,
        "RUN dotnet publish src/App/App.csproj && dotnet tool install -g dotnet-ef --version 8.0.0",
        &[
            "/s/src/App/bin/*: any ? compiled by DotNet",
            "/root/.dotnet/tools/*: maybe linux/amd64 ? installed by NuGet",
        ],
    );
}

#[test]
fn java_runs_anywhere_but_for_images_of_the_run_time() {
    leaves(
        "maven:3-eclipse-temurin-21",
        "RUN mvn -B -pl app package && jlink --add-modules java.base --output /jre",
        &[
            "/s/target/*: maybe any ? compiled by Java",
            "/s/app/target/*: maybe any ? compiled by Java",
            "/jre/*: linux/amd64 glibc compiled by Java",
        ],
    );
    leaves(
        "eclipse-temurin:21-alpine",
        "RUN jlink --output=/jre --add-modules ALL-MODULE-PATH",
        &["/jre/*: linux/amd64 musl compiled by Java"],
    );
    // The modules of another JDK are of that one's machine.
    leaves(
        "eclipse-temurin:21",
        "RUN curl -L https://h/jdk-linux-aarch64.tar.gz | tar xz -C /opt/jdk --strip-components=1 && jlink --module-path /opt/jdk/jmods --output /jre",
        &["/jre/*: linux/arm64 ? compiled by Java"],
    );
    leaves(
        "gradle:8-jdk21",
        "RUN ./gradlew :api:bootJar && sh gradlew installDist",
        &[
            "/s/build/*: maybe any ? compiled by Java",
            "/s/api/build/*: maybe any ? compiled by Java",
        ],
    );
    for command in
        ["mvn -Pnative native:compile", "mvn package -Dnative", "./mvnw -Pnative,prod package"]
    {
        leaves(
            "ghcr.io/graalvm/native-image-community:21",
            &format!("RUN {command}"),
            &[
                "/s/target/*: maybe any ? compiled by Java",
                "/s/target/?: maybe linux/amd64 glibc compiled by Java",
            ],
        );
    }
    leaves(
        "ghcr.io/graalvm/native-image-community:21",
        "RUN ./gradlew nativeCompile",
        &["/s/build/native/nativeCompile/?: maybe linux/amd64 glibc compiled by Java"],
    );
}

#[test]
fn node_modules_may_be_native() {
    let node = "node:20";
    for (body, want) in [
        ("RUN npm ci", "/s/node_modules/*: maybe linux/amd64 ? installed by Npm"),
        ("RUN yarn --frozen-lockfile", "/s/node_modules/*: maybe linux/amd64 ? installed by Npm"),
        (
            "RUN pnpm deploy --filter=api --prod /out",
            "/out/node_modules/*: maybe linux/amd64 ? installed by Npm",
        ),
        (
            "RUN npm ci --cpu=arm64 --os=linux",
            "/s/node_modules/*: maybe linux/arm64 ? installed by Npm",
        ),
        (
            "RUN npm_config_arch=arm64 npm ci",
            "/s/node_modules/*: maybe linux/arm64 ? installed by Npm",
        ),
        (
            "ENV npm_config_target_arch=$TARGETARCH\nRUN npm ci",
            "/s/node_modules/*: maybe linux/arm64 ? installed by Npm",
        ),
        ("RUN npm ci --ignore-scripts", "/s/node_modules/*: maybe ? ? installed by Npm"),
        ("RUN npm ci --os=darwin --cpu=arm64", "/s/node_modules/*: maybe ? ? installed by Npm"),
        (
            "RUN npm install sharp@0.33 express",
            "/s/node_modules/sharp/*: linux/amd64 glibc installed by Npm",
        ),
        (
            "RUN npm i @esbuild/linux-arm64",
            "/s/node_modules/@esbuild/linux-arm64/*: linux/arm64 ? installed by Npm",
        ),
        (
            "RUN npm install -g bcrypt",
            "/usr/local/lib/node_modules/bcrypt/*: linux/amd64 glibc installed by Npm",
        ),
    ] {
        leaves(node, body, &[want]);
    }
    lacks(
        "FROM node:20\nWORKDIR /s\nRUN npm install express\n",
        "linux/arm64",
        &["node_modules/express"],
    );
    lacks(
        "FROM node:20\nWORKDIR /s\nRUN yarn --version && npm config list\n",
        "linux/arm64",
        &["install", "node_modules"],
    );
    leaves(
        node,
        "RUN npm run build",
        &[
            "/s/dist/*: maybe any ? compiled by Node",
            "/s/.next/standalone/node_modules/*: maybe ? ? installed by Npm",
        ],
    );
}

#[test]
fn node_makes_programs_and_fetches_browsers() {
    let node = "node:20";
    for (body, want) in [
        ("RUN npx pkg . -t node18-linux-x64 -o /x", "/x: linux/amd64 ? compiled by Node"),
        (
            "RUN npx --yes @yao-pkg/pkg . -t node18-linux-arm64 -o /x",
            "/x: linux/arm64 ? compiled by Node",
        ),
        ("RUN npx pkg . -t node18 -o /x", "/x: linux/amd64 glibc compiled by Node"),
        ("RUN npx nexe -t $(cat t) -o /x", "/x: ? ? compiled by Node"),
        (
            "RUN bun build --compile --target=bun-linux-arm64-musl --outfile /x a.ts",
            "/x: linux/arm64 musl compiled by Node",
        ),
        (
            "RUN deno compile --target x86_64-unknown-linux-gnu -o /x a.ts",
            "/x: linux/amd64 glibc compiled by Node",
        ),
        ("RUN deno compile -o /x a.ts", "/x: linux/amd64 glibc compiled by Node"),
        ("RUN node-gyp rebuild --arch=arm64", "/s/build/Release/*: linux/arm64 ? compiled by Node"),
        ("RUN npx node-gyp rebuild", "/s/build/Release/*: linux/amd64 glibc compiled by Node"),
        ("RUN npx electron-builder --linux --arm64", "/s/dist/*: linux/arm64 ? compiled by Node"),
        (
            "RUN npx playwright install --with-deps chromium",
            "/root/.cache/ms-playwright/*: linux/amd64 ? installed by Npm",
        ),
        (
            "ENV PLAYWRIGHT_BROWSERS_PATH=/pw\nRUN yarn playwright install",
            "/pw/*: linux/amd64 ? installed by Npm",
        ),
    ] {
        leaves(node, body, &[want]);
    }
}

#[test]
fn python_packages_lie_where_pip_was_told() {
    let python = "python:3.12-slim";
    for (body, want) in [
        (
            "RUN pip install -r r.txt",
            "/usr/local/lib/python3.12/site-packages/*: maybe linux/amd64 ? installed by Pip",
        ),
        (
            "RUN pip install numpy==1.26",
            "/usr/local/lib/python3.12/site-packages/numpy/*: linux/amd64 glibc installed by Pip",
        ),
        ("RUN pip install --user flask", "/root/.local/*: maybe linux/amd64 ? installed by Pip"),
        (
            "RUN pip install --prefix=/install flask",
            "/install/*: maybe linux/amd64 ? installed by Pip",
        ),
        (
            "RUN python -m venv /v && /v/bin/pip install flask",
            "/v/*: maybe linux/amd64 ? installed by Pip",
        ),
        ("RUN python -m venv --copies /v", "/v/bin/python: linux/amd64 glibc installed by Pip"),
        ("RUN pip wheel -w /wheels -r r.txt", "/wheels/*: maybe linux/amd64 ? installed by Pip"),
        (
            "RUN pip download --platform manylinux2014_aarch64 --only-binary=:all: -d /dl flask",
            "/dl/*: maybe linux/arm64 ? installed by Pip",
        ),
        (
            "RUN pip install --platform manylinux2014_x86_64 --only-binary=:all: -t /p pandas",
            "/p/pandas/*: linux/amd64 glibc installed by Pip",
        ),
        (
            "RUN pip install --platform any --only-binary=:all: -t /p pandas",
            "/p/*: maybe any ? installed by Pip",
        ),
        ("RUN pip install --platform $(cat p) -t /p flask", "/p/*: maybe ? ? installed by Pip"),
        ("RUN uv sync --frozen", "/s/.venv/*: maybe linux/amd64 ? installed by Pip"),
        (
            "ENV UV_PROJECT_ENVIRONMENT=/v\nRUN uv sync",
            "/v/*: maybe linux/amd64 ? installed by Pip",
        ),
        (
            "RUN uv pip install --target /p orjson",
            "/p/orjson/*: linux/amd64 glibc installed by Pip",
        ),
        (
            "RUN uv python install 3.12",
            "/root/.local/share/uv/python/*: linux/amd64 glibc installed by Pip",
        ),
        ("RUN poetry install --only main", "/s/.venv/*: maybe linux/amd64 ? installed by Pip"),
        (
            "RUN conda create -n env python=3.11",
            "/opt/conda/envs/env/*: linux/amd64 ? installed by Conda",
        ),
        (
            "ENV CONDA_SUBDIR=linux-aarch64\nRUN mamba create -p /env -y python",
            "/env/*: linux/arm64 ? installed by Conda",
        ),
        (
            "RUN pyinstaller --onefile app/main.py",
            "/s/dist/main: linux/amd64 glibc compiled by Other",
        ),
        ("RUN pyinstaller -n tool main.py", "/s/dist/tool/*: linux/amd64 glibc compiled by Other"),
        (
            "RUN python -m nuitka --onefile --output-filename=x main.py",
            "/s/x: linux/amd64 glibc compiled by Other",
        ),
        ("RUN python setup.py bdist_wheel", "/s/dist/*: maybe linux/amd64 ? installed by Pip"),
    ] {
        leaves(python, body, &[want]);
    }
    lacks("FROM python:3.12\nRUN pip install -t /p flask\n", "linux/arm64", &["/p/flask"]);
    // In a stage on the target platform all of it is for the target.
    has(
        "FROM python:3.12\nRUN pip install -t /p numpy\n",
        "linux/arm64",
        &["file /p/numpy/*: linux/arm64 glibc installed by Pip, lines 2"],
    );
}

#[test]
fn php_ruby_and_others() {
    for (base, body, want) in [
        (
            "php:8.3-fpm",
            "RUN docker-php-ext-install gd pdo",
            "/usr/local/lib/php/extensions/*: linux/amd64 glibc installed by Php",
        ),
        (
            "php:8.3-alpine",
            "RUN pecl install redis",
            "/usr/local/lib/php/extensions/*: linux/amd64 musl installed by Php",
        ),
        (
            "composer:2",
            "RUN composer install --no-dev",
            "/s/vendor/*: maybe any ? installed by Composer",
        ),
        (
            "ruby:3.3",
            "RUN bundle install",
            "/usr/local/bundle/*: maybe linux/amd64 ? installed by Gem",
        ),
        (
            "ruby:3.3",
            "RUN bundle config set --local path vendor/b && bundle install",
            "/s/vendor/b/*: maybe linux/amd64 ? installed by Gem",
        ),
        (
            "ruby:3.3",
            "RUN bundle install --deployment",
            "/s/vendor/bundle/*: maybe linux/amd64 ? installed by Gem",
        ),
        (
            "ruby:3.3",
            "RUN gem install nokogiri -v 1.16",
            "/usr/local/bundle/extensions/*: linux/amd64 glibc installed by Gem",
        ),
        ("perl:5", "RUN cpanm -L /deps DBI", "/deps/*: maybe linux/amd64 ? installed by Cpan"),
        (
            "r-base",
            "RUN R -e \"install.packages('dplyr')\"",
            "/usr/local/lib/R/site-library/*: maybe linux/amd64 ? installed by Cran",
        ),
        (
            "debian",
            "RUN luarocks --tree /lua install lpeg",
            "/lua/*: maybe linux/amd64 ? installed by LuaRocks",
        ),
    ] {
        leaves(base, body, &[want]);
    }
    lacks(
        "FROM ruby:3\nRUN bundle exec rake && bundle --version\n",
        "linux/arm64",
        &["install Gem", "file /usr/local/bundle"],
    );
    lacks("FROM ruby:3\nRUN gem install rails\n", "linux/arm64", &["extensions"]);
}

#[test]
fn asking_a_tool_for_its_version_compiles_nothing() {
    for body in [
        "javac --version",
        "javac -version",
        "gradle --version",
        "./gradlew -v",
        "mvn -version",
        "make --version",
        "ninja --version",
        "cmake --version",
        "ant -version",
    ] {
        lacks(&format!("FROM debian\nRUN {body}\n"), "linux/arm64", &["compile", "file /"]);
    }
    has("FROM debian\nRUN ninja -v\n", "linux/arm64", &["2: compile Make for linux/arm64 ? ->"]);
}

#[test]
fn words_of_installers_that_are_no_package() {
    has("FROM node\nRUN yarn workspaces focus --production\n", "linux/arm64", &["2: install Npm"]);
    lacks("FROM node\nRUN yarn workspaces focus x\n", "linux/arm64", &["install Npm focus"]);
    has(
        "FROM php\nRUN pecl install --configureoptions 'a=\"yes\"' memcached-3.4.0\n",
        "linux/arm64",
        &["2: install Php memcached-3.4.0"],
    );
    let text = "FROM golang:1.26\nRUN go install tool\n";
    has(text, "linux/arm64", &["file /go/bin/*: linux/arm64 glibc compiled by Go, lines 2"]);
    lacks(text, "linux/arm64", &["/go/bin/tool"]);
}

#[test]
fn an_unpacked_configure_script_tells_the_prefix() {
    for option in ["--prefix=/opt/ghc", "--prefix /opt/ghc"] {
        let text = format!(
            "FROM debian:bookworm\nRUN curl -LO https://h/ghc.tar.xz && tar xf ghc.tar.xz && cd ghc && ./configure {option} && make install\n"
        );
        has(
            &text,
            "linux/arm64",
            &["file /opt/ghc/*: maybe linux/arm64 glibc compiled by Make, lines 2"],
        );
        lacks(&text, "linux/arm64", &["/usr/local", "install Script"]);
    }
}

#[test]
fn pip_of_the_distribution_has_a_folder_of_its_own() {
    has(
        "FROM debian:trixie-slim\nRUN apt-get install -y python3-pip && pip3 install lz4\n",
        "linux/arm64",
        &[
            "file /usr/local/lib/python3?/dist-packages/*: maybe linux/arm64 ? installed by Pip, lines 2",
        ],
    );
}
