//! What later modules may react to.

use crate::kernel::event::events;
use crate::kernel::ids::SubscriberId;

events! {
    /// There is another customer.
    SubscriberCreated { subscriber_id: SubscriberId };
    /// Particulars of a customer have changed, who pays for it among them.
    SubscriberUpdated { subscriber_id: SubscriberId };
}
