//! A real etcd and kube-apiserver on loopback, of the binaries that `tests/control-plane/build` made.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, api::PostParams, config::AuthInfo};
use tempfile::TempDir;

use crate::harness::{NAMESPACE, free_port};

/// The folder with `etcd` and `kube-apiserver`. Without one the tests of this folder are skipped, once and in words, except
/// in CI, where that is a failure.
pub fn assets() -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("control-plane/bin");
    let candidates = [std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from), Some(built)];
    let found = candidates
        .into_iter()
        .flatten()
        .find(|folder| folder.join("kube-apiserver").exists() && folder.join("etcd").exists());
    if found.is_none() {
        let missing = "no etcd and kube-apiserver: run tests/control-plane/build (needs Go) or set KUBEBUILDER_ASSETS";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED, {missing}");
    }
    found
}

pub struct ControlPlane {
    folder: TempDir,
    assets: PathBuf,
    etcd: Child,
    apiserver: Option<Child>,
    etcd_port: u16,
    port: u16,
}

impl ControlPlane {
    pub async fn start(assets: PathBuf) -> Self {
        let folder = TempDir::new().unwrap();
        let key = Command::new("openssl")
            .args(["genrsa", "-out"])
            .arg(folder.path().join("sa.key"))
            .arg("2048")
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(key.success());
        fs::write(folder.path().join("tokens.csv"), "admin-token,admin,1,system:masters\n").unwrap();
        let (etcd_port, peer_port) = (free_port(), free_port());
        let client_url = format!("http://127.0.0.1:{etcd_port}");
        let peer_url = format!("http://127.0.0.1:{peer_port}");
        let etcd = Command::new(assets.join("etcd"))
            .args(["--listen-client-urls", &client_url, "--advertise-client-urls", &client_url])
            .args(["--listen-peer-urls", &peer_url, "--unsafe-no-fsync", "--log-level", "error", "--data-dir"])
            .arg(folder.path().join("etcd"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut plane = Self { folder, assets, etcd, apiserver: None, etcd_port, port: free_port() };
        plane.start_apiserver().await;
        let namespaces: Api<Namespace> = Api::all(plane.client());
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(NAMESPACE.into());
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        plane
    }

    pub async fn start_apiserver(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("apiserver.log")).unwrap();
        let apiserver = Command::new(self.assets.join("kube-apiserver"))
            .arg(format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port))
            .args(["--bind-address=127.0.0.1", "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/16"])
            .arg(format!("--secure-port={}", self.port))
            .arg(format!("--cert-dir={}", path("certs")))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!("--service-account-key-file={}", path("sa.key")))
            .arg(format!("--service-account-signing-key-file={}", path("sa.key")))
            .arg(format!("--token-auth-file={}", path("tokens.csv")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.apiserver = Some(apiserver);
        let begin = Instant::now();
        loop {
            if let Some(client) = self.try_client()
                && client.apiserver_version().await.is_ok()
                && Api::<Namespace>::all(client.clone()).get("default").await.is_ok()
                && is_ready(client).await
            {
                break;
            }
            let log = || fs::read_to_string(self.folder.path().join("apiserver.log")).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_secs(90), "the API server does not answer\n{}", log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let kubeconfig = format!(
            "apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: admin}}}}]
clusters: [{{name: test, cluster: {{server: 'https://127.0.0.1:{}', certificate-authority: '{}'}}}}]
users: [{{name: admin, user: {{token: admin-token}}}}]
",
            self.port,
            path("certs/apiserver.crt")
        );
        fs::write(self.kubeconfig(), kubeconfig).unwrap();
    }

    pub fn stop_apiserver(&mut self) {
        if let Some(mut apiserver) = self.apiserver.take() {
            apiserver.kill().unwrap();
            apiserver.wait().unwrap();
        }
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    fn try_client(&self) -> Option<Client> {
        let certificate = fs::read(self.folder.path().join("certs/apiserver.crt")).ok()?;
        let certificates = pem(&String::from_utf8(certificate).ok()?);
        let mut config = Config::new(format!("https://127.0.0.1:{}", self.port).parse().unwrap());
        config.root_cert = Some(certificates);
        config.auth_info = AuthInfo { token: Some("admin-token".to_owned().into()), ..AuthInfo::default() };
        config.default_retry = false;
        Client::try_from(config).ok()
    }

    pub fn client(&self) -> Client {
        self.try_client().unwrap()
    }
}

/// Whether every part of the server is up; before, it answers some paths with 503.
async fn is_ready(client: Client) -> bool {
    let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
    client.request_text(request).await.is_ok_and(|text| text == "ok")
}

/// The DER of each certificate in a PEM text.
fn pem(text: &str) -> Vec<Vec<u8>> {
    use base64::Engine;
    text.split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .filter_map(|part| part.split("-----END CERTIFICATE-----").next())
        .map(|body| {
            base64::engine::general_purpose::STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()
        })
        .collect()
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.stop_apiserver();
        let _ = self.etcd.kill();
        let _ = self.etcd.wait();
    }
}
