//! Requests to a gateway, each on a connection of its own.

use super::Gateway;
use crate::support::{Answer, Client, Stream};

impl Gateway {
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.listen).await
    }

    /// A request on a connection of its own, to the end of its answer.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.open(path, headers, body).await.rest().await
    }

    /// The same with what need be no text.
    pub(crate) async fn post_bytes(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut client = self.connect().await;
        client.post(path, headers, body).await;
        client.answer().await.rest().await
    }

    /// The same, up to the head of the answer.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Stream {
        let mut client = self.connect().await;
        client.post(path, headers, body.as_bytes()).await;
        client.answer().await
    }

    /// A chat request, to the end of its answer.
    pub(crate) async fn chat(&self, body: &str) -> Answer {
        self.post("/v1/chat/completions", &[], body).await
    }

    /// The same, up to the head of the answer.
    pub(crate) async fn stream(&self, body: &str) -> Stream {
        self.open("/v1/chat/completions", &[], body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let mut client = self.connect().await;
        client.get(path, &[]).await;
        client.answer().await.rest().await
    }

    pub(crate) async fn ask_admin(&self, path: &str) -> Answer {
        let mut client = Client::connect(self.admin).await;
        client.get(path, &[("connection", "close")]).await;
        client.answer().await.rest().await
    }
}
