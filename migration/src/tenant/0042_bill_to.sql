-- For whom somebody pays.
CREATE INDEX subscriber_bill_to ON subscriber (bill_to_id) WHERE bill_to_id IS NOT NULL;
