//! What we register as a provider, and keeping the registration alive (reference pxgrid-api,
//! sections 1 and 3.13).

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::error::Result;
use crate::pxgrid::Control;
use crate::pxgrid::catalogue::{PUBSUB_SERVICE, TopicName};
use crate::pxgrid::subscriber::lookup::ISE_PUBSUB;

/// After a failed reregistration the next try follows after at most this.
const RETRY: Duration = Duration::from_secs(10);

/// A service of ours and its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provided {
    /// The service's name.
    pub(super) service: String,
    /// The property that names the topic.
    pub(super) property: String,
    /// The topic's path.
    pub(super) path: String,
    /// Whether it is context-in, whose messages have a known shape.
    pub(super) is_asset: bool,
}

impl Provided {
    /// Reads what the user wrote; a topic that ISE itself publishes is refused.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let custom = |service: &str, property: &str| Self {
            service: service.to_owned(),
            property: property.to_owned(),
            path: format!("/topic/{service}"),
            is_asset: false,
        };
        let hint = "write asset, SERVICE:PROPERTY, or /topic/SERVICE";
        match TopicName::parse(text) {
            Some(TopicName::Known(service, topic)) if topic.alias == "asset" => Ok(Self {
                service: service.name.to_owned(),
                property: topic.property.to_owned(),
                path: topic.path.to_owned(),
                is_asset: true,
            }),
            Some(TopicName::Known(service, _)) => Err(format!(
                "{} is published by ISE itself; {hint}",
                service.name
            )),
            Some(TopicName::Property { service, .. }) if service.starts_with("com.cisco.") => {
                Err(format!("{service} is Cisco's own; {hint}"))
            }
            Some(TopicName::Property { service, property }) => Ok(custom(&service, &property)),
            Some(TopicName::Path(path)) => match path.strip_prefix("/topic/") {
                Some(service) if !service.is_empty() && !service.starts_with("com.cisco.") => {
                    Ok(custom(service, "customTopic"))
                }
                _ => Err(format!(
                    "'{path}' is no topic of a service of yours; {hint}"
                )),
            },
            None => Err(format!("'{text}' is no topic; {hint}")),
        }
    }

    fn properties(&self) -> Vec<(String, String)> {
        vec![
            (PUBSUB_SERVICE.to_owned(), ISE_PUBSUB.to_owned()),
            (self.property.clone(), self.path.clone()),
        ]
    }
}

/// A registration that stands until [`end`](Self::end).
pub(super) struct Registration {
    control: Control,
    provided: Provided,
    id: String,
    every: Duration,
    due: Instant,
    renewing: Option<Renewing>,
}

/// A renewal under way.
type Renewing = Pin<Box<dyn Future<Output = Renewed>>>;

enum Renewed {
    Kept,
    /// The old one was gone.
    Anew(crate::pxgrid::control::Registration),
    Failed(crate::error::Error),
}

impl Registration {
    /// Registers.
    pub(super) async fn make(control: Control, provided: Provided) -> Result<Self> {
        let made = control
            .register(&provided.service, &provided.properties())
            .await?;
        let every = early(made.reregister_after);
        Ok(Self {
            control,
            provided,
            id: made.id,
            every,
            due: Instant::now() + every,
            renewing: None,
        })
    }

    /// Waits for the next renewal and makes it; what there is to say of it. Safe to drop and to
    /// call again.
    pub(super) async fn keep(&mut self) -> Option<String> {
        if self.renewing.is_none() {
            sleep_until(self.due).await;
        }
        let renewing = self.renewing.get_or_insert_with(|| {
            let (control, provided) = (self.control.clone(), self.provided.clone());
            let id = self.id.clone();
            Box::pin(renew(control, provided, id))
        });
        let renewed = renewing.as_mut().await;
        self.renewing = None;
        self.due = Instant::now() + self.every;
        match renewed {
            Renewed::Kept => None,
            Renewed::Anew(made) => {
                self.id = made.id;
                self.every = early(made.reregister_after);
                self.due = Instant::now() + self.every;
                Some(format!("{} is registered again", self.provided.service))
            }
            Renewed::Failed(error) => {
                let pause = RETRY.min(self.every);
                self.due = Instant::now() + pause;
                Some(format!(
                    "{} could not be kept registered: {error}; next try in {pause:?}",
                    self.provided.service
                ))
            }
        }
    }

    /// Takes it back.
    pub(super) async fn end(self) -> Result<()> {
        self.control.unregister(&self.id).await
    }
}

/// Renews; a registration that the server no longer knows is made anew, which changes nothing that
/// was not so before.
async fn renew(control: Control, provided: Provided, id: String) -> Renewed {
    let Err(error) = control.reregister(&id).await else {
        return Renewed::Kept;
    };
    if !error
        .http_status()
        .is_some_and(|status| (400..500).contains(&status))
    {
        return Renewed::Failed(error);
    }
    match control
        .register(&provided.service, &provided.properties())
        .await
    {
        Ok(made) => Renewed::Anew(made),
        Err(error) => Renewed::Failed(error),
    }
}

/// Two thirds of the time a registration lasts: one renewal may fail. A server that wants it more
/// often than once a second is not hammered.
fn early(lasts: Duration) -> Duration {
    (lasts * 2 / 3).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assets_and_services_of_ones_own_are_published() {
        let asset = Provided::parse("asset").unwrap();
        assert!(asset.is_asset);
        assert_eq!(asset.path, "/topic/com.cisco.endpoint.asset");
        let custom = Provided::parse("com.example.custom:customTopic").unwrap();
        assert_eq!(
            Provided::parse("/topic/com.example.custom").unwrap(),
            custom
        );
        assert_eq!(
            custom.properties(),
            [
                ("wsPubsubService".into(), "com.cisco.ise.pubsub".into()),
                ("customTopic".into(), "/topic/com.example.custom".into())
            ]
        );
        for text in [
            "session",
            "/topic/com.cisco.ise.session",
            "com.cisco.ise.x:t",
            "x",
            "/queue/x",
            "/topic/",
        ] {
            assert!(Provided::parse(text).is_err(), "{text}");
        }
    }
}
