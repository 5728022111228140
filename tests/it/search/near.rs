//! `Location.near`: places within a distance. <https://hl7.org/fhir/R4/location.html#positional>

use super::{all_find, all_ignored, all_refused, holding, resource};
use serde_json::{Value, json};

fn place(id: &str, longitude: f64, latitude: f64) -> Value {
    resource("Location", id, json!({"position": {"longitude": longitude, "latitude": latitude}}))
}

#[tokio::test(flavor = "multi_thread")]
async fn places_within_a_distance_are_found_across_the_date_line_too() {
    let server = holding([
        place("ann-arbor", -83.69, 42.256_500),
        place("ypsilanti", -83.61, 42.24),
        place("detroit", -83.05, 42.33),
        place("fiji-west", 179.99, -17.0),
        place("fiji-east", -179.99, -17.0),
        place("pole", 0.0, 90.0),
        resource("Location", "nowhere", json!({"name": "x"})),
    ])
    .await;
    let rows = [
        ("Location?near=42.256500|-83.694810|11.20|km", "ann-arbor ypsilanti"),
        ("Location?near=42.2565|-83.69|1|km", "ann-arbor"),
        ("Location?near=42.2565|-83.69|1000|m", "ann-arbor"),
        ("Location?near=42.2565|-83.69|40|[mi_us]", "ann-arbor detroit ypsilanti"),
        ("Location?near=42.2565|-83.69|60", "ann-arbor detroit ypsilanti"),
        // Without a distance: 50 km.
        ("Location?near=42.2565|-83.69", "ann-arbor ypsilanti"),
        ("Location?near=42.2565|-83.69|0", "ann-arbor"),
        ("Location?near=-17|180|5|km", "fiji-east fiji-west"),
        ("Location?near=-17|-180|5|km", "fiji-east fiji-west"),
        ("Location?near=89.99|120|5|km", "pole"),
        ("Location?near=0|0|1|km", ""),
        ("Location?near=42.2565|-83.69|1|km,-17|180|5|km", "ann-arbor fiji-east fiji-west"),
        ("Location?near=42.2565|-83.69&_id=ypsilanti", "ypsilanti"),
        ("Location?near:missing=true", "nowhere"),
    ];
    all_find(&server, &rows).await;
    let refused = [
        ("Location?near=somewhere", "near", "latitude|longitude|distance|unit"),
        ("Location?near=91|0", "near", "latitude|longitude|distance|unit"),
        ("Location?near=42|-83|-1|km", "near", "latitude|longitude|distance|unit"),
        ("Location?near=42|-83|1|kg", "near", "latitude|longitude|distance|unit"),
    ];
    all_refused(&server, &refused).await;
    all_ignored(&server, &[("Location?near:exact=1|2", "near:exact", "no modifier ':exact'")]).await;
}
