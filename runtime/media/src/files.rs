//! The bytes of files: in a folder, or in a bucket of any S3.
//!
//! A file is written as a whole or not at all: it appears under its name when its last byte is there and its digest is
//! the expected one. Of one under way a few parts are in memory at the most.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, WriteMultipart};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Parts of a file that wait to be written, besides the one that is filled.
const WAITING: usize = 1;

/// Where files are.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of this machine, or one that all processes see. It is made when the first file comes.
    Folder(PathBuf),
    /// A bucket.
    Bucket(Bucket),
}

/// A bucket of an S3.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What the names of all files begin with; may be empty.
    pub prefix: String,
    /// `https://minio.internal:9000` for example; Amazon's when absent.
    pub endpoint: Option<String>,
    /// `us-east-1` for example.
    pub region: String,
    /// Key id and secret; when absent, those of Amazon's own variables, or of the machine.
    pub keys: Option<(String, SecretString)>,
}

/// The files of all tenants. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    root: Path,
    /// In bytes; S3 takes no smaller parts than 5 MiB.
    part: usize,
}

/// What was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// In bytes.
    pub size: u64,
    /// The digest.
    pub sha256: [u8; 32],
}

/// Why nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// Its source broke off.
    #[error("it broke off: {0}")]
    Source(E),
    /// More bytes than this.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    /// Other bytes than expected.
    #[error("its bytes have the digest {found}, Meta says {expected}")]
    Altered {
        /// Hex.
        found: String,
        /// Hex.
        expected: String,
    },
    /// The place cannot be written to.
    #[error("it cannot be written (MEDIA_STORE): {0}")]
    Store(#[from] object_store::Error),
}

impl Files {
    /// Looks at nothing yet. Fails when the settings make no sense.
    pub fn open(place: &Place) -> Result<Self, object_store::Error> {
        match place {
            Place::Folder(folder) => {
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                Ok(Self {
                    // What is said to be stored is on the disk.
                    store: Arc::new(LocalFileSystem::new().with_fsync(true)),
                    root: Path::from_absolute_path(folder)?,
                    part: 256 << 10,
                })
            }
            Place::Bucket(Bucket { name, prefix, endpoint, region, keys }) => {
                // Files go one by one, and not every S3 has deletions in bulk.
                let builder = AmazonS3Builder::from_env().with_bucket_name(name).with_region(region);
                let mut builder = builder.with_disable_bulk_delete(true);
                if let Some(endpoint) = endpoint {
                    builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
                }
                if let Some((id, secret)) = keys {
                    builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
                }
                Ok(Self { store: Arc::new(builder.build()?), root: Path::parse(prefix)?, part: 5 << 20 })
            }
        }
    }

    /// Meta's ids are no names of files: their digests are, spread over folders.
    fn path(&self, tenant_id: Uuid, id: &str) -> Path {
        let name = hex::encode(Sha256::digest(id.as_bytes()));
        let folders = self.root.parts().map(|part| part.as_ref().to_owned());
        Path::from_iter(folders.chain([tenant_id.to_string(), name[..2].to_owned(), name]))
    }

    /// Writes a file of at most `most` bytes, whose digest is one of `expected` when there are any.
    pub async fn put<E>(
        &self,
        tenant_id: Uuid,
        id: &str,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        most: u64,
        expected: &[[u8; 32]],
    ) -> Result<Kept, PutError<E>> {
        let upload = self.store.put_multipart(&self.path(tenant_id, id)).await?;
        let mut write = WriteMultipart::new_with_chunk_size(upload, self.part);
        match self.fill(&mut write, bytes, most, expected).await {
            Ok(kept) => {
                write.finish().await?;
                Ok(kept)
            }
            Err(error) => {
                if let Err(error) = write.abort().await {
                    tracing::warn!(tenant = %tenant_id, media = id, %error, "what was written of a file stays behind");
                }
                Err(error)
            }
        }
    }

    async fn fill<E>(
        &self,
        write: &mut WriteMultipart,
        bytes: impl Stream<Item = Result<Bytes, E>>,
        most: u64,
        expected: &[[u8; 32]],
    ) -> Result<Kept, PutError<E>> {
        let (mut size, mut digest) = (0, Sha256::new());
        let mut bytes = std::pin::pin!(bytes);
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(PutError::Source)?;
            size += chunk.len() as u64;
            if size > most {
                return Err(PutError::TooLarge(most));
            }
            digest.update(&chunk);
            write.wait_for_capacity(WAITING).await?;
            write.write(&chunk);
        }
        let sha256: [u8; 32] = digest.finalize().into();
        match expected.iter().find(|expected| **expected != sha256) {
            Some(expected) => Err(PutError::Altered { found: hex::encode(sha256), expected: hex::encode(expected) }),
            None => Ok(Kept { size, sha256 }),
        }
    }

    /// The bytes of a file, or a part of them. `None` when it is not there.
    pub async fn get(
        &self,
        tenant_id: Uuid,
        id: &str,
        range: Option<Range<u64>>,
    ) -> Result<
        Option<impl Stream<Item = Result<Bytes, object_store::Error>> + Send + 'static + use<>>,
        object_store::Error,
    > {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.store.get_opts(&self.path(tenant_id, id), options).await {
            Ok(found) => Ok(Some(found.into_stream())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes a file; one that is not there is removed already.
    pub async fn delete(&self, tenant_id: Uuid, id: &str) -> Result<(), object_store::Error> {
        match self.store.delete(&self.path(tenant_id, id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
