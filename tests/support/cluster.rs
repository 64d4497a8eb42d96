//! A real Redis Cluster on loopback: three masters, whose slots tests move, and whose nodes they kill and pause.

use super::eventually;
use super::redis::Redis;

/// Three masters, and replicas behind them as they come.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

/// The slots of the masters, in three equal shares.
const SHARES: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

impl Cluster {
    /// Starts three masters that know each other. The third one has the highest epoch.
    pub fn start() -> Self {
        let started: Vec<_> = SHARES.iter().map(|_| Redis::node()).collect();
        for (number, (node, _)) in started.iter().enumerate() {
            let (from, to) = SHARES[number];
            done(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
            done(node, &format!("CLUSTER ADDSLOTSRANGE {from} {to}"));
        }
        for (node, bus) in started.iter().skip(1) {
            done(&started[0].0, &format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()));
        }
        let cluster = Self { nodes: started.into_iter().map(|(node, _)| node).collect() };
        cluster.agree();
        cluster
    }

    /// Adds a replica of this master, waits until it is in step, and gives its number.
    pub fn add_replica_of(&mut self, master: usize) -> usize {
        let (node, bus) = Redis::node();
        done(&self.nodes[0], &format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()));
        let number = self.nodes.len();
        self.nodes.push(node);
        self.agree();
        let master = self.id(master);
        eventually("a replica", || {
            (self.nodes[number].ask(&format!("CLUSTER REPLICATE {master}")) == "+OK").then_some(())
        });
        eventually("a replica in step", || {
            self.says(number, "INFO replication", "master_link_status:up").then_some(())
        });
        // The others must know it as a replica, or it is not voted for.
        for node in 0..number {
            eventually("a replica that all know", || {
                let nodes = self.nodes[node].text("CLUSTER NODES");
                nodes.lines().any(|line| line.contains("slave") && line.contains(&master)).then_some(())
            });
        }
        number
    }

    fn agree(&self) {
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        for node in 0..self.nodes.len() {
            for part in ["cluster_state:ok", &known, "cluster_slots_ok:16384", "cluster_size:3"] {
                eventually("a cluster in order", || self.says(node, "CLUSTER INFO", part).then_some(()));
            }
            eventually("nodes that have met", || {
                (!self.nodes[node].text("CLUSTER NODES").contains("handshake")).then_some(())
            });
        }
    }

    fn says(&self, node: usize, command: &str, line: &str) -> bool {
        self.nodes[node].text(command).lines().any(|one| one == line)
    }

    /// `redis+cluster://` with the addresses of the masters that it began with.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes.iter().take(3).map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// A node.
    pub fn node(&self, number: usize) -> &Redis {
        &self.nodes[number]
    }

    /// A node, to be killed.
    pub fn node_mut(&mut self, number: usize) -> &mut Redis {
        &mut self.nodes[number]
    }

    fn id(&self, number: usize) -> String {
        self.nodes[number].text("CLUSTER MYID").trim().to_owned()
    }

    /// From now on new keys of the slot belong to another master, and those that are there wait to be moved.
    pub fn begin_to_move(&self, slot: u16, from: usize, to: usize) {
        done(&self.nodes[to], &format!("CLUSTER SETSLOT {slot} IMPORTING {}", self.id(from)));
        done(&self.nodes[from], &format!("CLUSTER SETSLOT {slot} MIGRATING {}", self.id(to)));
    }

    /// Moves one key.
    pub fn move_key(&self, key: &str, from: usize, to: usize) {
        done(&self.nodes[from], &format!("MIGRATE 127.0.0.1 {} {key} 0 5000", self.nodes[to].port()));
    }

    /// Moves what is left, and gives the slot away.
    pub fn end_of_move(&self, slot: u16, from: usize, to: usize) {
        let id = self.id(to);
        eventually("an empty slot", || {
            for key in self.keys_in(slot, from) {
                // It may have ended, or another one may have come.
                self.nodes[from].ask(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", self.nodes[to].port()));
            }
            (self.nodes[from].ask(&format!("CLUSTER COUNTKEYSINSLOT {slot}")) == ":0").then_some(())
        });
        for node in [to, from] {
            done(&self.nodes[node], &format!("CLUSTER SETSLOT {slot} NODE {id}"));
        }
    }

    /// The slot stays where it is; what has been moved is lost.
    pub fn call_off(&self, slot: u16, nodes: [usize; 2]) {
        for node in nodes {
            done(&self.nodes[node], &format!("CLUSTER SETSLOT {slot} STABLE"));
        }
    }

    /// The keys of a slot that lie at this node.
    pub fn keys_in(&self, slot: u16, node: usize) -> Vec<String> {
        let of_slot = |key: &String| self.nodes[node].ask(&format!("CLUSTER KEYSLOT {key}")) == format!(":{slot}");
        self.nodes[node].keys().into_iter().filter(of_slot).collect()
    }
}

fn done(node: &Redis, command: &str) {
    assert_eq!(node.ask(command), "+OK", "{command}");
}
