//! Calls that are answered in the turn of their connection.
//!
//! The HTTP/2 library hands every call to an executor, to run beside its connection. Nearly every call here has its answer at the
//! first look, and a task for so short a life costs more than it brings. So the connection looks at its new calls itself; one that
//! has to wait becomes a task then.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use hyper::rt::Executor;

/// Calls that are looked at in one turn; the others of a burst become tasks, so that other connections get theirs.
const MOST: usize = 64;

/// Calls that nobody has looked at yet. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Begun(Arc<Mutex<Vec<Call>>>);

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Begun {
    fn execute(&self, call: F) {
        self.lock().push(Box::pin(call));
    }
}

impl Begun {
    /// Serves a connection whose calls come here, on the runtime that this is called on.
    pub(super) async fn serve<C: Future>(&self, mut connection: Pin<&mut C>) -> C::Output {
        std::future::poll_fn(|context| {
            let served = connection.as_mut().poll(context);
            self.look(context);
            served
        })
        .await
    }

    /// Looks at each call once. What wakes one that has to wait wakes its task, which looks at it again for that.
    fn look(&self, context: &mut Context<'_>) {
        let mut begun = std::mem::take(&mut *self.lock());
        for (turn, mut call) in begun.drain(..).enumerate() {
            if turn >= MOST || call.as_mut().poll(context).is_pending() {
                tokio::spawn(call);
            }
        }
        // The room of a usual turn is kept for the next.
        begun.shrink_to(MOST);
        let mut next = self.lock();
        if next.is_empty() {
            *next = begun;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
