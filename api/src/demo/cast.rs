//! Who is in the demo.

use trunkline_domain::network::NasVendor;

pub const PASSWORD: &str = "trunkline-demo";
pub const ADMIN: &str = "admin@trunkline.example";
pub const DIRECTOR: (&str, &str, &str) = ("Meridian Networks Group", "Leela Menon", "director@meridian.example");

/// One of the demo's ISPs.
pub struct Isp {
    pub slug: &'static str,
    pub name: &'static str,
    pub template: &'static str,
    pub legal_name: &'static str,
    pub address: &'static [&'static str],
    pub color: &'static str,
    pub upi_id: Option<&'static str>,
    /// State, where there is one, and number.
    pub tax_registration: Option<(Option<&'static str>, &'static str)>,
    pub owner: &'static str,
    pub clerk: &'static str,
    pub people: usize,
    /// ISPs with the same seed get the same names and user names.
    pub seed: u64,
    pub names: Names,
    /// Region, city, first digits of postal codes, weight.
    pub places: &'static [(&'static str, &'static str, &'static str, u32)],
    pub country: &'static str,
    /// Plan and weight.
    pub plans: &'static [(&'static str, u32)],
    pub router: Router,
}

pub struct Names {
    pub given: &'static [&'static str],
    pub family: &'static [&'static str],
}

/// The router that the demo plays. Its address is one of loopback's, so that radclient can send from it.
pub struct Router {
    pub name: &'static str,
    pub address: &'static str,
    pub secret: &'static str,
    pub vendor: NasVendor,
}

impl Isp {
    pub fn owner_email(&self) -> String {
        format!("owner@{}.example", self.slug)
    }

    pub fn clerk_email(&self) -> String {
        format!("desk@{}.example", self.slug)
    }
}

const INDIAN: Names = Names {
    given: &[
        "Aarav", "Aditi", "Anand", "Anjali", "Arjun", "Asha", "Deepa", "Divya", "Farhan", "Gauri", "Harish", "Isha", "Kavya",
        "Kiran", "Lakshmi", "Manoj", "Meera", "Nandini", "Naveen", "Pooja", "Prakash", "Priya", "Rahul", "Ramesh", "Rekha",
        "Rohan", "Sanjay", "Shalini", "Sunita", "Suresh", "Usha", "Vikram",
    ],
    family: &[
        "Acharya", "Bhat", "Chandra", "D'Souza", "Gowda", "Hegde", "Iyer", "Joshi", "Kamath", "Khan", "Kulkarni", "Menon",
        "Murthy", "Nair", "Naidu", "Patil", "Pillai", "Rao", "Reddy", "Shenoy", "Shetty", "Varma",
    ],
};

const KENYAN: Names = Names {
    given: &[
        "Achieng", "Akinyi", "Amina", "Baraka", "Brian", "Chebet", "Faith", "Fatuma", "Grace", "Hamisi", "Jabali", "Jane",
        "Juma", "Kevin", "Kipchoge", "Mwende", "Mwangi", "Naliaka", "Njeri", "Otieno", "Peter", "Rehema", "Salim", "Wanjiku",
        "Zawadi",
    ],
    family: &[
        "Abdalla",
        "Barasa",
        "Cheruiyot",
        "Hassan",
        "Kamau",
        "Kariuki",
        "Kilonzo",
        "Kimani",
        "Koech",
        "Maina",
        "Mutua",
        "Mwakio",
        "Ndungu",
        "Njoroge",
        "Ochieng",
        "Odhiambo",
        "Omondi",
        "Wafula",
        "Wambua",
        "Were",
    ],
};

pub const ISPS: [Isp; 3] = [
    Isp {
        slug: "tarang",
        name: "Tarang Fibernet",
        template: "in-broadband",
        legal_name: "Tarang Fibernet Private Limited",
        address: &["14 Residency Road", "Bengaluru 560025", "Karnataka"],
        color: "#0b7a75",
        upi_id: Some("tarang.fibernet@example"),
        tax_registration: Some((Some("KA"), "29AAFCT4821K1Z0")),
        owner: "Revathi Gowda",
        clerk: "Imran Khan",
        people: 210,
        seed: 1,
        names: INDIAN,
        places: &[
            ("KA", "Bengaluru", "560", 6),
            ("KA", "Mysuru", "570", 2),
            ("TN", "Hosur", "635", 2),
            ("KL", "Kasaragod", "671", 1),
        ],
        country: "IN",
        plans: &[("HOME-50", 6), ("HOME-100", 4), ("BUSINESS-200", 1)],
        router: Router {
            name: "bng1.bengaluru",
            address: "127.0.0.1",
            secret: "tarang-router-secret",
            vendor: NasVendor::Mikrotik,
        },
    },
    Isp {
        slug: "pwani",
        name: "Pwani WiFi",
        template: "ke-hotspot",
        legal_name: "Pwani WiFi Limited",
        address: &["Moi Avenue", "Mombasa 80100"],
        color: "#b3541e",
        upi_id: None,
        tax_registration: Some((None, "P051482937Q")),
        owner: "Salim Abdalla",
        clerk: "Grace Wanjiku",
        people: 180,
        seed: 2,
        names: KENYAN,
        places: &[
            ("28", "Mombasa", "801", 5),
            ("14", "Kilifi", "801", 2),
            ("19", "Ukunda", "804", 1),
        ],
        country: "KE",
        plans: &[("MONTH", 8), ("DAY", 2), ("HOUR", 1)],
        router: Router {
            name: "hotspot.mombasa",
            address: "127.0.0.2",
            secret: "pwani-router-secret",
            vendor: NasVendor::Mikrotik,
        },
    },
    Isp {
        slug: "tarang-udupi",
        name: "Tarang Udupi",
        template: "in-broadband",
        legal_name: "Coastal Broadband Services",
        address: &["Maruthi Veethika", "Udupi 576101", "Karnataka"],
        color: "#5b3a8e",
        upi_id: Some("coastal.broadband@example"),
        // Small enough to do without, so it charges no GST.
        tax_registration: None,
        owner: "Vasudev Shenoy",
        clerk: "Pooja Kamath",
        people: 160,
        seed: 1,
        names: INDIAN,
        places: &[("KA", "Udupi", "576", 4), ("KA", "Kundapura", "576", 1)],
        country: "IN",
        plans: &[("HOME-50", 7), ("HOME-100", 3)],
        router: Router {
            name: "bng1.udupi",
            address: "127.0.0.3",
            secret: "udupi-router-secret",
            vendor: NasVendor::Huawei,
        },
    },
];
