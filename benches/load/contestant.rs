//! Those who are measured side by side. All are shown the same tokens with the same request, each in the protocol that
//! it speaks, and each has to prove itself before it is measured: fast and wrong is no figure.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::Outcome;
use crate::args::Args;
use crate::closed::{Load, Until, Window};
use crate::envoy::{Envoy, Filter};
use crate::http1::{Clients, Reply, request};
use crate::judge::Expect;
use crate::servers::{Null, Subject};
use crate::support::http::Request;
use crate::world::{HOST, PATH, World};

/// One of them, running.
pub(crate) struct Contestant {
    pub(crate) address: SocketAddr,
    /// The processes whose CPU time counts; the first one listens.
    pub(crate) pids: Vec<u32>,
    pub(crate) speaks: Speaks,
    pub(crate) running: Box<dyn Running>,
}

/// How it is asked, and what it says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Speaks {
    /// ext_authz over gRPC.
    Grpc { yes: Expect, no: Expect },
    /// HTTP/1.1; `before`: what stands before the path of the request.
    Http { reply: Reply, before: &'static str },
}

/// What has to live as long as it is asked.
pub(crate) trait Running {
    /// What is to be looked at or cleaned up after a window.
    fn after_window(&self) -> Outcome {
        Ok(())
    }

    /// How it ended, if it did.
    fn ended(&mut self) -> Option<String> {
        None
    }
}

impl Running for Null {}
impl Running for Envoy {}

impl Running for Rc<Subject> {
    fn after_window(&self) -> Outcome {
        self.tidy()
    }
}

/// Envoy and the authorizer that it asks.
struct Both<T>(#[expect(dead_code, reason = "kept alive")] Envoy, T);

impl<T: Running> Running for Both<T> {
    fn after_window(&self) -> Outcome {
        self.1.after_window()
    }
}

impl Contestant {
    pub(crate) fn null(null: Null) -> Self {
        let speaks = Speaks::Grpc { yes: Expect::Null, no: Expect::Null };
        Self { address: null.address, pids: vec![null.pid()], speaks, running: Box::new(null) }
    }

    pub(crate) fn credence(world: &World, args: &Args) -> Outcome<Self> {
        let subject = Rc::new(Subject::start(&world.table, args)?);
        let speaks = Speaks::Grpc { yes: Expect::Allow, no: Expect::RefuseSomehow };
        Ok(Self { address: subject.address, pids: vec![subject.pid()], speaks, running: Box::new(subject) })
    }

    /// Envoy that judges by itself, or lets everything through.
    pub(crate) fn envoy(filter: &Filter) -> Outcome<Self> {
        let envoy = Envoy::start(filter)?;
        let reply = Reply::Envoy { named: matches!(filter, Filter::JwtAuthn { .. }) };
        let speaks = Speaks::Http { reply, before: "" };
        Ok(Self { address: envoy.address, pids: vec![envoy.pid()], speaks, running: Box::new(envoy) })
    }

    /// Envoy in front of credence: the cost of both counts.
    pub(crate) fn credence_behind_envoy(world: &World, args: &Args) -> Outcome<Self> {
        let subject = Rc::new(Subject::start(&world.table, args)?);
        let pid = subject.pid();
        Self::behind_envoy(subject.address, pid, true, subject)
    }

    /// Envoy in front of a null server; `named`: whether its answer names a caller.
    pub(crate) fn null_behind_envoy(null: Null, named: bool) -> Outcome<Self> {
        let pid = null.pid();
        Self::behind_envoy(null.address, pid, named, null)
    }

    fn behind_envoy(authorizer: SocketAddr, pid: u32, named: bool, running: impl Running + 'static) -> Outcome<Self> {
        let envoy = Envoy::start(&Filter::Authorizer(authorizer))?;
        let speaks = Speaks::Http { reply: Reply::Envoy { named }, before: "" };
        let pids = vec![envoy.pid(), pid];
        Ok(Self { address: envoy.address, pids, speaks, running: Box::new(Both(envoy, running)) })
    }

    /// One window in which every token is good.
    pub(crate) fn show(&self, args: &Args, tokens: &[String], warm: Until, window: Until) -> Outcome<Window> {
        let window = match self.speaks {
            Speaks::Grpc { yes, .. } => {
                let (frames, pid) = (Arc::new(World::ask().frames(tokens)), *self.pids.first().ok_or("no process")?);
                let (connections, streams) = (args.connections, args.streams);
                Load { connections, streams, frames, warm, window, expect: yes }.run(self.address, pid)?
            }
            Speaks::Http { reply, before } => {
                let requests = Arc::new(tokens.iter().map(|token| request(before, token)).collect());
                let connections = args.connections * args.streams;
                Clients { connections, requests, warm, window, reply }.run(self.address, &self.pids)?
            }
        };
        self.running.after_window()?;
        Ok(window)
    }

    /// Every token once, so that whoever remembers tokens remembers these.
    pub(crate) fn prime(&self, args: &Args, tokens: &[String]) -> Outcome {
        let window = Until::First(tokens.len(), crate::closed::PRIMING);
        self.show(args, tokens, Until::Count(0), window).map(drop)
    }

    /// An error unless it lets this token in, or turns it away, as it should.
    pub(crate) fn prove(&self, token: Option<&str>, good: bool) -> Outcome {
        match self.speaks {
            Speaks::Grpc { yes, no } => {
                let frames = Arc::new(vec![World::ask().frame(token)]);
                let (warm, window) = (Until::Count(0), Until::Count(1));
                let load =
                    Load { connections: 1, streams: 1, frames, warm, window, expect: if good { yes } else { no } };
                load.run(self.address, *self.pids.first().ok_or("no process")?).map(drop)
            }
            Speaks::Http { before, .. } => {
                let request = Request::get(&format!("{before}{PATH}")).host(HOST);
                let request = token.map_or_else(|| request.clone(), |token| request.clone().bearer(token));
                match request.try_send(self.address)?.status {
                    200 if good => Ok(()),
                    401 | 403 if !good => Ok(()),
                    status => Err(format!("HTTP {status}").into()),
                }
            }
        }
    }
}
