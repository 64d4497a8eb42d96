//! Calls that are answered in the turn of their connection.
//!
//! The HTTP/2 library hands every call to an executor, to run beside its connection. Nearly every call here has its answer at the
//! first look, and a task for so short a life costs more than it brings. So the connection looks at its new calls itself; one that
//! has to wait becomes a task then.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
        let _end = End(self);
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
            // As in a task of its own, a panic costs this call alone: its stream is reset when it is dropped.
            let look = || turn < MOST && call.as_mut().poll(context).is_ready();
            match catch_unwind(AssertUnwindSafe(look)) {
                Ok(true) => {}
                Ok(false) => drop(tokio::spawn(call)),
                Err(_panic) => tracing::error!("a call made its connection panic and was dropped"),
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

/// Calls know where more of them come, so those that nobody will look at any more would hold each other for ever.
struct End<'a>(&'a Begun);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.0.lock());
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Calls that count that they were answered.
    fn call(answered: &Arc<AtomicUsize>) -> impl Future<Output = ()> + Send + 'static {
        let answered = Arc::clone(answered);
        async move { _ = answered.fetch_add(1, Ordering::Relaxed) }
    }

    #[tokio::test]
    async fn a_call_is_answered_in_the_turn_in_which_it_came_also_in_the_last() {
        let (begun, answered) = (Begun::default(), Arc::default());
        for turn in 1..=2 {
            begun.execute(call(&answered));
            begun.serve(pin!(ready(()))).await;
            assert_eq!(answered.load(Ordering::Relaxed), turn);
        }
    }

    #[tokio::test]
    async fn a_call_that_waits_is_woken_whether_its_connection_lives_or_not() {
        let (begun, answered) = (Begun::default(), Arc::default());
        let (wake, woken) = tokio::sync::oneshot::channel::<()>();
        let (done, end) = tokio::sync::oneshot::channel();
        let call = call(&answered);
        begun.execute(async move {
            _ = woken.await;
            call.await;
            _ = done.send(());
        });
        begun.serve(pin!(ready(()))).await;
        assert_eq!(answered.load(Ordering::Relaxed), 0);
        drop(begun);
        wake.send(()).unwrap();
        end.await.unwrap();
        assert_eq!(answered.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_call_that_panics_takes_no_other_with_it() {
        let (begun, answered) = (Begun::default(), Arc::default());
        begun.execute(call(&answered));
        begun.execute(async { panic!("a call") });
        begun.execute(call(&answered));
        begun.serve(pin!(ready(()))).await;
        assert_eq!(answered.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn calls_of_a_connection_that_panics_are_let_go() {
        let (begun, held) = (Begun::default(), Arc::new(()));
        let (more, own) = (begun.clone(), Arc::clone(&held));
        begun.execute(async move { drop((more, own)) });
        let connection = pin!(async { panic!("a connection") });
        assert!(catch_unwind(AssertUnwindSafe(|| poll_once(begun.serve(connection)))).is_err());
        drop(begun);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    /// Looks at a future once, and drops it.
    fn poll_once(future: impl Future<Output = ()>) {
        _ = pin!(future).poll(&mut Context::from_waker(std::task::Waker::noop()));
    }

    #[tokio::test]
    async fn a_burst_is_answered_but_not_all_of_it_in_one_turn() {
        let (begun, answered) = (Begun::default(), Arc::default());
        for _ in 0..3 * MOST {
            begun.execute(call(&answered));
        }
        begun.serve(pin!(ready(()))).await;
        assert_eq!(answered.load(Ordering::Relaxed), MOST);
        while answered.load(Ordering::Relaxed) < 3 * MOST {
            tokio::task::yield_now().await;
        }
        assert!(begun.lock().capacity() <= MOST);
    }
}
