//! The program, started as the chart's containers start it: their arguments, and their mounts as a kubelet makes them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::helm::Release;
use crate::objects::{Objects, documents, item, strings};
use crate::support::credence::binary;
use crate::support::issuer::Ca;
use crate::support::process::Process;
use crate::support::{eventually, scratch};
use crate::system::free_port;
use crate::web::Web;

/// A pod whose mounts are in a directory.
struct Pod {
    spec: Value,
    root: TempDir,
    admin: u16,
}

impl Pod {
    fn of(objects: &Objects) -> Self {
        let patches = objects.of("ConfigMap").filter_map(|map| map["data"]["patch.yaml"].as_str());
        let spec = patches.map(|patch| documents(patch)[0]["spec"]["template"]["spec"].clone()).next();
        let spec = spec.unwrap_or_else(|| objects.pod()["spec"].clone());
        let pod = Self { spec, root: scratch(), admin: free_port() };
        for part in ["trust", "blocks"] {
            let data = &objects.named("ConfigMap", &format!("rel-credence-{part}"))["data"];
            mount(&pod.root.path().join(part), data);
        }
        pod
    }

    /// The arguments of a container, with the directory in place of the pod's own root and loopback in place of the world.
    fn args(&self, container: &Value) -> Vec<String> {
        self.here(&container["args"])
    }

    fn here(&self, args: &Value) -> Vec<String> {
        let root = self.root.path().display().to_string();
        let admin = format!("127.0.0.1:{}", self.admin);
        let here = |arg: String| {
            arg.replace("/etc/credence", &root)
                .replace("unix:/run/credence", &format!("unix:{root}"))
                .replace("0.0.0.0:9191", "127.0.0.1:0")
                .replace("0.0.0.0:9192", &admin)
                .replace("127.0.0.1:9192", &admin)
                .replace("rel-credence-admin.trust.svc:9192", &admin)
        };
        strings(args).into_iter().map(here).collect()
    }

    /// Runs a container to its end.
    fn run(&self, container: &Value) {
        let output = Command::new(binary()).args(self.args(container)).env_clear().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The container that answers; of a sidecar's pod an init container, which runs on.
    fn server(&self) -> &Value {
        let lists = ["containers", "initContainers"].map(|list| self.spec[list].as_array().unwrap());
        lists.into_iter().flatten().find(|container| container["name"] == "credence").unwrap()
    }

    /// Starts the server and waits until it is ready by its own probe.
    fn serve(&self) -> Process {
        let container = self.server();
        let mut process = Process::start(binary(), self.args(container));
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            eventually(probe, || {
                assert!(process.ended().is_none(), "{}", process.stderr());
                self.passes(&container[probe]).then_some(())
            });
        }
        process
    }

    /// Whether the pod passes a probe, as the kubelet would find.
    fn passes(&self, probe: &Value) -> bool {
        let Some(path) = probe["httpGet"]["path"].as_str() else {
            let command = self.here(&probe["exec"]["command"]);
            // Where the image has it.
            assert_eq!(command[0], "/credence");
            return Command::new(binary()).args(&command[1..]).env_clear().output().unwrap().status.success();
        };
        Web::plain().get(&format!("http://127.0.0.1:{}{path}", self.admin)).0 == 200
    }
}

/// As the kubelet mounts a ConfigMap: names lead over `..data` to a dated directory.
fn mount(dir: &Path, data: &Value) {
    let dated = dir.join("..2026_11_21");
    std::fs::create_dir_all(&dated).unwrap();
    std::os::unix::fs::symlink("..2026_11_21", dir.join("..data")).unwrap();
    for (name, text) in data.as_object().unwrap() {
        std::fs::write(dated.join(name), text.as_str().unwrap()).unwrap();
        std::os::unix::fs::symlink(Path::new("..data").join(name), dir.join(name)).unwrap();
    }
}

#[test]
fn the_pod_of_the_smallest_release_checks_serves_and_passes_its_own_test() {
    let objects = Release::of("inline").render();
    let pod = Pod::of(&objects);
    // What the Secret has, under the names that the volume gives.
    let (tls, authority) = (pod.root.path().join("tls"), Ca::new());
    let volume = item(&pod.spec["volumes"], "credence-tls")["projected"]["sources"].as_array().unwrap().clone();
    let items = volume.iter().flat_map(|source| source["secret"]["items"].as_array().unwrap());
    let paths: BTreeSet<_> = items.map(|item| item["path"].as_str().unwrap().to_owned()).collect();
    assert_eq!(paths.iter().map(String::as_str).collect::<Vec<_>>(), ["client-ca.crt", "tls.crt", "tls.key"]);
    std::fs::create_dir(&tls).unwrap();
    let (chain, key) = authority.write_server(&tls, "rel-credence.trust.svc");
    std::fs::rename(chain, tls.join("tls.crt")).unwrap();
    std::fs::rename(key, tls.join("tls.key")).unwrap();
    std::fs::write(tls.join("client-ca.crt"), authority.pem()).unwrap();

    pod.run(item(&pod.spec["initContainers"], "check-trust"));
    let mut server = pod.serve();
    pod.run(item(&objects.only("Pod")["spec"]["containers"], "status"));
    assert_eq!(server.stop().code(), Some(0), "{}", server.stderr());
}

#[test]
fn the_sidecar_listens_on_the_socket_that_the_gateway_has_mounted() {
    let pod = Pod::of(&Release::of("sidecar").render());
    pod.run(item(&pod.spec["initContainers"], "check-trust"));
    let mut server = pod.serve();
    assert!(pod.root.path().join("authz.sock").exists());
    // The probes do look: nobody is there any more.
    assert_eq!(server.stop().code(), Some(0), "{}", server.stderr());
    let container = pod.server();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        assert!(!pod.passes(&container[probe]), "{probe}");
    }
}
